// The contract of every log, on three real Kafka brokers, and what is Kafka's own. `npm run test:kafka`; the jars are those of
// test/deploy/tools/get-kafka.sh.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Producer, type CompressionAlgorithmValue } from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasKafka, KafkaBrokers } from '../../native-bench/harness/kafka-brokers.ts';
import { parseConfig } from '../../src/config.ts';
import type { IngestLog } from '../../src/ingest-log/ingest-log.ts';
import { KafkaLog, type KafkaLogOptions } from '../../src/ingest-log/kafka-log.ts';
import { openIngestLog } from '../../src/ingest-log/open-ingest-log.ts';
import { bytesOf, contract, PARTITIONS, take, textOf } from '../support/ingest-log-contract.ts';
import { LinkProxy } from '../support/link-proxy.ts';
import { MadeCertificates } from '../support/made-certificates.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

/** A busy machine is not taken for a hang. */
const LONG = { timeout: 60_000 };

describe.skipIf(!hasKafka())('Kafka', () => {
  let kafka: KafkaBrokers;
  beforeAll(async () => {
    kafka = await KafkaBrokers.open();
  });
  afterAll(async () => await kafka?.[Symbol.asyncDispose]());

  const open = (topic: string, more: Partial<KafkaLogOptions> = {}): KafkaLog =>
    new KafkaLog({
      servers: kafka.addresses.split(','),
      partitions: PARTITIONS,
      topic,
      create: { replicas: 3, retentionMs: 3_600_000 },
      ...more,
    });
  contract(
    () => {
      const topic = `test-${randomUUID()}`;
      return { open: () => open(topic) };
    },
    { keepsIds: false },
  );

  test('a topic that is made keeps each message on three brokers, synced; one that is altered is told', async () => {
    const log = open('made');
    const made = { kind: 'kafka', replicas: 3, retentionMs: 3_600_000, retentionBytes: Infinity };
    expect(await log.describe()).toEqual({ ...made, fsyncBeforeAck: true, problems: [], tradeOffs: [] });
    await kafka.alter('made', {
      'flush.messages': '2',
      'min.insync.replicas': '1',
      'unclean.leader.election.enable': 'true',
      'max.message.bytes': '5000',
    });
    const altered = await log.describe();
    expect(altered.fsyncBeforeAck).toBe(false);
    expect(altered.problems).toHaveLength(2);
    expect(altered.problems.join('\n')).toMatch(/in memory; `kafka-configs.sh .* min.insync.replicas=2`/);
    expect(altered.problems.join('\n')).toMatch(/may become leader; `kafka-configs.sh .*election.enable=false`/);
    await expect(log.append(0, new Uint8Array(5_000), 'large')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await log.close();
    // Who has not asked for the settings is told by the broker.
    const other = open('made');
    await expect(other.append(0, new Uint8Array(5_000), 'large')).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(/a message of 5000 bytes/),
    });
    expect(await other.append(0, new Uint8Array(4_000), 'fits')).toBe(1n);
    await other.close();
  });

  test('a topic that nobody made is not there, and one with other partitions is not read', async () => {
    const none = open('unmade', { create: undefined });
    await expect(none.last(0)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/has no topic "unmade": an insert node makes it/),
    });
    await none.close();
    const three = open('three');
    expect(await three.last(2)).toBe(0n);
    await three.close();
    const two = open('three', { partitions: 2 });
    await expect(two.last(0)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/"three" has 3 partitions, -ingestLog.partitions is 2/),
    });
    await two.close();
  });

  test('more replicas than brokers are refused in the words of the broker', async () => {
    const log = open('wide', { create: { replicas: 5, retentionMs: Infinity } });
    await expect(log.describe()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/INVALID_REPLICATION_FACTOR.*5/),
    });
    await log.close();
  });

  test('of a topic that was made anew, nothing is read at the offsets of the old one', async () => {
    const log = open('anew');
    await log.append(0, bytesOf('old'), 'old');
    const identity = await log.identify(0);
    const reading = take(log, 0, 1n, 100);
    const ended = reading.catch((error: unknown) => error);
    await kafka.remove('anew');
    const again = open('anew');
    await expect.poll(async () => await again.append(0, bytesOf('new'), 'new').catch(String), LONG).toBe(1n);
    expect(await ended).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await again.identify(0)).not.toBe(identity);
    expect((await take(again, 0, 1n, 1)).map(textOf)).toEqual(['new']);
    await Promise.all([log.close(), again.close()]);
  });

  const producing = async (use: (producer: Producer) => Promise<unknown>, options: object = {}): Promise<void> => {
    const clientId = 'another-program';
    const producer = new Producer({ clientId, bootstrapBrokers: kafka.addresses.split(','), ...options });
    try {
      await use(producer);
    } finally {
      await producer.close();
    }
  };

  test.for(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'what another program wrote as %s is read, also from the middle of a batch',
    async (compression: CompressionAlgorithmValue) => {
      const topic = `by-${compression}`;
      const log = open(topic);
      await log.last(0);
      const words = Array.from({ length: 20 }, (_, n) => `word ${n} `.repeat(50));
      await producing(async (producer) => {
        const messages = words.map((word) => ({ topic, partition: 1, value: Buffer.from(word) }));
        await producer.send({ messages, compression, acks: -1 });
      });
      expect(await log.last(1)).toBe(20n);
      expect((await take(log, 1, 1n, 20)).map(textOf)).toEqual(words);
      expect((await take(log, 1, 18n, 3)).map(({ offset }) => offset)).toEqual([18n, 19n, 20n]);
      await log.close();
    },
  );

  test("the marks of another program's transactions are messages without bytes, so the end is reached", async () => {
    const log = open('transactions');
    await log.last(0);
    const one = (value: string): object => ({ topic: 'transactions', partition: 0, value: Buffer.from(value) });
    await producing(
      async (producer) => {
        const transaction = await producer.beginTransaction();
        await transaction.send({ messages: [one('a'), one('b')] as never });
        await transaction.commit();
      },
      { idempotent: true, transactionalId: 'one' },
    );
    await expect.poll(async () => await log.last(0), LONG).toBe(3n);
    expect((await take(log, 0, 1n, 3)).map(textOf)).toEqual(['a', 'b', '']);
    await log.close();
  });
});

test.skipIf(!hasKafka())('an append whose answer was lost is made again, and stored once', async () => {
  let proxy: LinkProxy | undefined;
  await using kafka = await KafkaBrokers.open({
    brokers: 1,
    advertised: async (port) => {
      proxy = await LinkProxy.open(`127.0.0.1:${port}`);
      return Number(proxy.address.split(':')[1]);
    },
  });
  await using link = proxy!;
  // Clients are told of the link alone.
  expect(link.address).not.toBe(kafka.addresses);
  const options = { topic: 'lossy', partitions: 1, create: { replicas: 1, retentionMs: Infinity } };
  const log = new KafkaLog({ ...options, servers: [link.address] });
  await expect.poll(async () => await log.append(0, bytesOf('first'), 'first').catch(String), LONG).toBe(1n);
  link.set('lossy');
  await expect(log.append(0, bytesOf('second'), 'second')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  link.set('open');
  expect(await log.append(0, bytesOf('second'), 'second')).toBe(2n);
  // Given up by its caller: the next one is another message, however much is stored of the one before.
  link.set('lossy');
  await expect(log.append(0, bytesOf('third'), 'third')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  link.set('open');
  expect(await log.append(0, bytesOf('fourth'), 'fourth')).toBe(4n);
  expect((await take(log, 0, 1n, 4)).map(textOf)).toEqual(['first', 'second', 'third', 'fourth']);
  await log.close();
});

test.skipIf(!hasKafka())('over TLS, with each kind of login; without either, it does not answer', async () => {
  using certificates = new MadeCertificates();
  using others = new MadeCertificates();
  using folder = new TemporaryFolder();
  const { key, cert } = certificates.make('IP:127.0.0.1');
  const keyStore = join(folder.path, 'broker.pem');
  writeFileSync(keyStore, key + cert);
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
  await using kafka = await KafkaBrokers.open({
    brokers: 1,
    settings: {
      'listener.security.protocol.map': 'CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keyStore,
      'sasl.enabled.mechanisms': [...mechanisms, 'PLAIN'].join(),
      ...Object.fromEntries(
        mechanisms.map((name) => [`listener.name.client.${name.toLowerCase()}.sasl.jaas.config`, scram]),
      ),
      'listener.name.client.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_tracelith="hunter2";',
    },
    format: mechanisms.flatMap((name) => ['--add-scram', `${name}=[name=tracelith,password=hunter2]`]),
  });
  const passwordFile = join(folder.path, 'password');
  writeFileSync(passwordFile, 'hunter2\n');
  const openBy = async (scheme: string, ...flags: readonly string[]): Promise<IngestLog> => {
    const own = ['-ingestLog.nodes=1', '-ingestLog.partitions=1', '-ingestLog.replicas=1'];
    return await openIngestLog(
      parseConfig([`-ingestLog=${scheme}://${kafka.addresses}/spans`, ...own, ...flags], {}),
      true,
    );
  };
  const ca = `-ingestLog.tlsCAFile=${certificates.caFile}`;
  const user = '-ingestLog.username=tracelith';
  const login = [user, `-ingestLog.password=file://${passwordFile}`];
  for (const [n, mechanism] of ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'].entries()) {
    const log = await openBy('kafka+tls', ca, ...login, `-ingestLog.saslMechanism=${mechanism}`);
    const appended = async (): Promise<unknown> => await log.append(0, bytesOf('a'), mechanism).catch(String);
    await expect.poll(appended, LONG).toBe(BigInt(n + 1));
    await log.close();
  }
  const wrong = [
    await openBy('kafka+tls', ca),
    await openBy('kafka', ...login),
    await openBy('kafka+tls', ca, user, '-ingestLog.password=hunter3'),
    await openBy('kafka+tls', `-ingestLog.tlsCAFile=${others.caFile}`, ...login),
    await openBy('kafka+tls', ...login),
  ];
  const messages = [];
  for (const log of wrong) {
    const failure = await log.last(0).then(
      () => 'it answered',
      (error: Error) => error.message,
    );
    messages.push(failure);
    expect(failure).not.toMatch(/hunter/);
    await log.close();
  }
  expect(messages).toEqual(
    messages.map(() => expect.stringMatching(/^the log \(Kafka\) does not answer: .*try again$/)),
  );
  expect(messages[2]).toMatch(/[Aa]uthentication/);
  await expect(openBy('kafka+tls', '-ingestLog.tlsCAFile=/nowhere')).rejects.toMatchObject({
    code: 'CONFIG',
    message: expect.stringMatching(/^-ingestLog.tlsCAFile: .*nowhere/),
  });
});

test.skipIf(!hasKafka())('a log without brokers does not answer, and does when they come', async () => {
  await using kafka = await KafkaBrokers.open({ brokers: 1 });
  const options = { topic: 'gone', partitions: 1, create: { replicas: 1, retentionMs: Infinity } };
  const log = new KafkaLog({ ...options, servers: [kafka.addresses] });
  const [broker] = kafka.brokers;
  await broker!.kill9();
  await expect(log.append(0, bytesOf('a'), 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await broker!.start();
  const appended = (text: string) => async (): Promise<unknown> =>
    await log.append(0, bytesOf(text), text).catch(String);
  await expect.poll(appended('a'), LONG).toBe(1n);
  const reading = take(log, 0, 1n, 10).catch((error: unknown) => error);
  await broker!.kill9();
  await expect(log.append(0, bytesOf('b'), 'b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(log.last(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await reading).toMatchObject({ code: 'UNAVAILABLE' });
  await broker!.start();
  await expect.poll(appended('b'), LONG).toBe(2n);
  expect((await take(log, 0, 1n, 2)).map(textOf)).toEqual(['a', 'b']);
  await log.close();
});
