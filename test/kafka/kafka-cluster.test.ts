// Kafka as the log of whole clusters, as processes: insert → three brokers → two zones of storage nodes → select, and the pipelines that
// others have already, in which a Collector or Jaeger writes the topic and no insert node is there. Answers are those of one node
// that gets the same.
import { Producer, type CompressionAlgorithmValue } from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Child } from '../../native-bench/harness/child.ts';
import { hasKafka, KafkaBrokers, type KafkaBroker } from '../../native-bench/harness/kafka-brokers.ts';
import { jaegerToRequest } from '../../src/otlp/jaeger-to-request.ts';
import { encodeMessage } from '../support/jaeger-messages.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';
import { requestOf, span } from '../block/scanned.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const PARTITIONS = 4;
const NODES = 2;
const hex = (trace: number): string => trace.toString(16).padStart(32, '0');
const HEADERS = { 'content-type': 'application/x-protobuf' };

/** One with the exporter for Kafka: test/deploy/tools/otelcol-kafka-builder.yaml. */
const collector = process.env['OTELCOL_KAFKA'] ?? '';
let made = 1;
const newTraces = (count: number): number[] => Array.from({ length: count }, () => made++);

/** A request with the spans `ids` of each trace. */
function requestWith(traces: readonly number[], ids: readonly number[] = [1, 2]): Uint8Array {
  const start = BigInt(Date.now() - 1_000) * 1_000_000n;
  const spans = traces.flatMap((trace) =>
    ids.map((id) => span(id, { trace, startTimeUnixNano: start + BigInt(trace) })),
  );
  return encodeRequest(requestOf(spans));
}

async function post({ url }: Pick<RoleProcess, 'url'>, body: Uint8Array): Promise<number> {
  const reply = await fetch(`${url}/v1/traces`, { method: 'POST', headers: HEADERS, body: Buffer.from(body) });
  await reply.text();
  return reply.status;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly warnings: string | null;
}

async function ask({ url }: RoleProcess, path: string): Promise<Answer> {
  const reply = await fetch(url + path);
  return { status: reply.status, text: await reply.text(), warnings: reply.headers.get('tracelith-warnings') };
}

/** Storage nodes of each zone behind one topic, a select node, and a single node that answers what they must. */
class Readers implements AsyncDisposable {
  readonly storage: readonly RoleProcess[];
  readonly select: RoleProcess;
  readonly single: RoleProcess;

  private constructor(parts: Pick<Readers, 'storage' | 'select' | 'single'>) {
    this.storage = parts.storage;
    this.select = parts.select;
    this.single = parts.single;
  }

  static async open(log: readonly string[], zones: readonly string[]): Promise<Readers> {
    const storage: RoleProcess[] = [];
    for (const zone of zones)
      for (let ordinal = 0; ordinal < NODES; ordinal++) {
        const own = [`-ingestLog.zone=${zone}`, `-ingestLog.nodes=${NODES}`, `-ingestLog.ordinal=${ordinal}`];
        storage.push(await RoleProcess.storing(`${zone}${ordinal}`, false, [...log, ...own]));
      }
    const select = await RoleProcess.inFront('select', storage.map(({ address }) => address).join(','), log);
    const readers = new Readers({ storage, select, single: await RoleProcess.storing('single', true) });
    for (const one of [...storage, readers.select, readers.single]) await one.start();
    return readers;
  }

  /** Every trace is answered whole, without a warning, with the bytes of the single node. */
  async see(traces: readonly number[]): Promise<void> {
    for (const trace of traces) {
      const path = `/api/traces/${hex(trace)}`;
      const [ours, single] = await Promise.all([ask(this.select, path), ask(this.single, path)]);
      expect(ours).toEqual({ ...single, status: 200, warnings: null });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [...this.storage, this.select, this.single]) await one[Symbol.asyncDispose]();
  }
}

describe.skipIf(!hasKafka())('a topic that other programs write', () => {
  const TOPIC = 'otlp_spans';
  const JAEGER_TOPIC = 'jaeger-spans';
  const YES_OR_NO = [() => true, () => false] as const;
  let kafka: KafkaBrokers;
  let readers: Readers;
  let producer: Producer;
  beforeAll(async () => {
    kafka = await KafkaBrokers.open();
    for (const topic of [TOPIC, JAEGER_TOPIC])
      await waitFor('the topic to be made', async () => await kafka.make(topic, PARTITIONS).then(...YES_OR_NO));
    readers = await Readers.open(
      [`-ingestLog=kafka://${kafka.addresses}/${TOPIC}`, `-ingestLog.partitions=${PARTITIONS}`],
      ['a'],
    );
    producer = new Producer({ clientId: 'otel-collector', bootstrapBrokers: kafka.addresses.split(',') });
  });
  afterAll(async () => {
    await producer?.close();
    await readers?.[Symbol.asyncDispose]();
    await kafka?.[Symbol.asyncDispose]();
  });

  test.for(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'as the kafka exporter writes it with partition_traces_by_id, compressed by %s',
    async (compression: CompressionAlgorithmValue) => {
      const traces = newTraces(30);
      // A message for each trace, its id in hex as the key: exporter/kafkaexporter of opentelemetry-collector-contrib.
      const messages = traces.map((trace) => ({
        topic: TOPIC,
        key: Buffer.from(hex(trace)),
        value: Buffer.from(requestWith([trace])),
      }));
      await producer.send({ messages, compression, acks: -1 });
      for (const { value } of messages) expect(await post(readers.single, value)).toBe(200);
      await readers.see(traces);
    },
  );

  test('a trace whose spans are in several partitions is answered whole', async () => {
    const traces = newTraces(10);
    const halves = [1, 2, 3, 4].map((id) => Buffer.from(requestWith(traces, [id])));
    const messages = halves.map((value, partition) => ({ topic: TOPIC, partition, value }));
    await producer.send({ messages, compression: 'snappy', acks: -1 });
    for (const value of halves) expect(await post(readers.single, value)).toBe(200);
    await readers.see(traces);
    expect((await ask(readers.select, '/api/services')).text).toBe((await ask(readers.single, '/api/services')).text);
  });

  test.skipIf(collector === '').for(['otlp_proto', 'otlp_json', 'jaeger_proto'])(
    'as a real Collector writes it with deploy/otel-collector/kafka.yaml, encoded as %s',
    async (encoding) => {
      using folder = new TemporaryFolder();
      const topic = `by-${encoding}`;
      await kafka.make(topic, PARTITIONS);
      const log = [`-ingestLog=kafka://${kafka.addresses}/${topic}`, `-ingestLog.partitions=${PARTITIONS}`];
      await using own = await Readers.open([...log, `-ingestLog.encoding=${encoding}`], ['a']);
      const host = '127.0.0.11'; // its ports are fixed, and those of 127.0.0.1 may be a node's
      const servers = `[${kafka.addresses}]`;
      const environment = [
        `KAFKA_BROKERS=${servers}`,
        `COLLECTOR_HOST=${host}`,
        `COLLECTOR_QUEUE=${folder.path}/queue`,
      ];
      const exporter = 'exporters::kafka/tracelith::traces';
      const child = await Child.start('env', [
        ...environment,
        collector,
        '--config=deploy/otel-collector/kafka.yaml',
        `--config=yaml:service::telemetry::metrics::level: none`,
        `--config=yaml:${exporter}::encoding: ${encoding}`,
        `--config=yaml:${exporter}::topic: ${topic}`,
      ]);
      try {
        const traces = newTraces(50);
        const body = requestWith(traces);
        const url = `http://${host}:4318`;
        await waitFor('the Collector', async () => {
          if (!child.isRunning) throw new Error(child.output);
          return await post({ url }, body).then(
            (status) => status === 200,
            () => false,
          );
        });
        expect(await post(own.single, body)).toBe(200);
        await waitFor('the last trace', async () => {
          const { status } = await ask(own.select, `/api/traces/${hex(traces.at(-1)!)}`);
          return status === 200;
        });
        await own.see(traces);
      } finally {
        await child.stop();
      }
    },
  );

  test("single spans of Jaeger's model, as Jaeger and the Collector write them in jaeger_proto", async () => {
    const log = [`-ingestLog=kafka://${kafka.addresses}/${JAEGER_TOPIC}`, `-ingestLog.partitions=${PARTITIONS}`];
    await using jaeger = await Readers.open([...log, '-ingestLog.encoding=jaeger_proto'], ['a']);
    const traces = newTraces(5);
    const startNs = BigInt(Date.now() - 1_000) * 1_000_000n;
    const spans = traces.flatMap((trace) =>
      [1, 2].map((id) => ({
        traceId: Buffer.from(hex(trace), 'hex'),
        spanId: Buffer.from(hex(id), 'hex').subarray(8),
        operationName: `operation ${id}`,
        startTime: { seconds: startNs / 1_000_000_000n, nanos: Number(startNs % 1_000_000_000n) },
        duration: { seconds: 0n, nanos: 5_000 },
        tags: [{ key: 'span.kind', vType: 0, vStr: 'server' }],
        process: { serviceName: 'of jaeger', tags: [{ key: 'host', vType: 0, vStr: 'h' }] },
      })),
    );
    const values = spans.map((one) => encodeMessage('JaegerSpan', one));
    const messages = values.map((value, n) => ({ topic: JAEGER_TOPIC, key: Buffer.from(hex(traces[n >> 1]!)), value }));
    await producer.send({ messages, compression: 'lz4', acks: -1 });
    for (const value of values) expect(await post(jaeger.single, jaegerToRequest(value))).toBe(200);
    await jaeger.see(traces);
    expect((await ask(jaeger.select, `/api/traces/${hex(traces[0]!)}`)).text).toContain('"operation 2"');
    expect((await ask(jaeger.select, '/api/services')).text).toContain('of jaeger');
  });

  test('a message that is no request is put aside, and the next one is read', async () => {
    const traces = newTraces(1);
    const value = Buffer.from(requestWith(traces));
    const send = async (bytes: Buffer): Promise<unknown> =>
      await producer.send({ messages: [{ topic: TOPIC, partition: 0, value: bytes }], acks: -1 });
    await send(Buffer.from('{"resourceSpans":[]}'));
    await send(value);
    expect(await post(readers.single, value)).toBe(200);
    await readers.see(traces);
    const page = await (await fetch(`${readers.storage[0]!.url}/metrics`)).text();
    expect(page).toMatch(/^tracelith_ingest_log_messages_set_aside_total\{[^}]*partition="0"[^}]*\} 1$/m);
  });
});

describe.skipIf(!hasKafka())('a cluster with Kafka as its log', () => {
  let kafka: KafkaBrokers;
  let readers: Readers;
  let insert: RoleProcess;
  beforeAll(async () => {
    kafka = await KafkaBrokers.open();
    const log = [`-ingestLog=kafka://${kafka.addresses}/spans`, `-ingestLog.partitions=${PARTITIONS}`];
    insert = await RoleProcess.inFront('insert', '127.0.0.1:1', log);
    await insert.start();
    readers = await Readers.open(log, ['a', 'b']);
  });
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
    await insert?.[Symbol.asyncDispose]();
    await kafka?.[Symbol.asyncDispose]();
  });

  /** Writes until it is acknowledged, as a sender does. */
  const write = async (count: number): Promise<number[]> => {
    const traces = newTraces(count);
    const body = requestWith(traces);
    expect(await post(readers.single, body)).toBe(200);
    await waitFor('the log to take spans', async () => (await post(insert, body)) === 200);
    return traces;
  };

  test('what is acknowledged is seen by the next question', async () => {
    for (let round = 0; round < 20; round++) await readers.see(await write(5));
  });

  /** Writes before, while and after each of the brokers is away; then everything that was acknowledged is there, once. */
  const writeThrough = async (
    brokers: readonly KafkaBroker[],
    leave: (broker: KafkaBroker) => Promise<void>,
    comeBack: (broker: KafkaBroker) => Promise<void>,
  ): Promise<void> => {
    const written: number[] = [];
    let isOver = false;
    const writing = (async () => {
      while (!isOver) written.push(...(await write(4)));
    })();
    const goOn = async (what: string): Promise<void> => {
      const before = written.length;
      await waitFor(`writes to go on ${what}`, () => written.length > before + 40);
    };
    for (const broker of brokers) {
      await goOn('before');
      await leave(broker);
      await goOn(`without broker ${broker.id}`);
      await comeBack(broker);
    }
    await goOn('afterwards');
    isOver = true;
    await writing;
    await waitFor('the ends of all partitions to be known', async () => {
      const { status, warnings } = await ask(readers.select, '/api/services');
      expect(status).toBe(200);
      return warnings === null;
    });
    await readers.see(written);
  };

  test.for(['SIGKILL', 'SIGSTOP'] as const)(
    'the broker that leads may go away by %s under load: nothing acknowledged is lost, and each is shown once',
    async (signal) => {
      const leave = async (broker: KafkaBroker): Promise<void> =>
        signal === 'SIGKILL' ? await broker.kill9() : broker.pause();
      const comeBack = async (broker: KafkaBroker): Promise<void> =>
        signal === 'SIGKILL' ? await broker.start() : broker.resume();
      for (let partition = 0; partition < 2; partition++)
        await writeThrough([await kafka.leaderOf('spans', partition)], leave, comeBack);
    },
  );

  test('all brokers are restarted in turns under load: nothing acknowledged is lost, and each is shown once', async () => {
    await writeThrough(
      kafka.brokers,
      async (broker) => await broker.stop(),
      async (broker) => await broker.start(),
    );
  });

  test('all brokers may go away: spans are refused, and each zone goes on when they are back', async () => {
    for (const broker of kafka.brokers) await broker.kill9();
    const reply = await fetch(`${insert.url}/v1/traces`, {
      method: 'POST',
      headers: HEADERS,
      body: Buffer.from(requestWith(newTraces(1))),
    });
    expect([reply.status, reply.headers.get('retry-after') !== null]).toEqual([503, true]);
    expect((await ask(readers.select, '/api/services')).warnings).toMatch(/the log does not tell where partition/);
    await Promise.all(kafka.brokers.map(async (broker) => await broker.start()));
    const traces = await write(20);
    await readers.see(traces);
    for (const node of readers.storage.slice(0, NODES)) await node.signal('SIGKILL');
    await readers.see(traces);
  });
});

test.skipIf(!hasKafka())(
  'an insert node does not start on a topic that may lose spans, unless it is trusted',
  async () => {
    await using kafka = await KafkaBrokers.open({ brokers: 1 });
    const log = [`-ingestLog=kafka://${kafka.addresses}/spans`, '-ingestLog.replicas=1', '-ingestLog.partitions=2'];
    await using refused = await RoleProcess.inFront('insert', '127.0.0.1:1', log);
    await expect(refused.start()).rejects.toThrow(
      /-ingestLog: topic spans: 1 replica of a partition; .*-ingestLog.trust/s,
    );
    await using trusted = await RoleProcess.inFront('insert', '127.0.0.1:1', [...log, '-ingestLog.trust']);
    await trusted.start();
    expect(await post(trusted, requestWith(newTraces(1)))).toBe(200);
  },
);
