// A disk that is really full, under the real program: log, flush, merge and index commit all meet ENOSPC. Nothing
// acknowledged is lost or doubled, queries go on, and when there is space again everything goes on without a restart.
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { status, type ServiceError } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { askJson, callExport, exportTrace, force, readMetrics, search } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { canMount, SmallDisk } from '../support/small-disk.ts';

const SPANS = 100;
const SPAN_BYTES = 2_000;
const canRun = canMount();

/** One trace of SPANS spans with bytes that no codec makes smaller; its id and its request. */
function makeTrace(): { id: string; body: Uint8Array } {
  const traceId = randomBytes(16);
  const startNs = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: SPANS }, (_, n) => ({
    traceId,
    spanId: randomBytes(8),
    name: 'fill',
    kind: 1,
    startTimeUnixNano: startNs + BigInt(n),
    endTimeUnixNano: startNs + BigInt(n) + 1_000n,
    attributes: [{ key: 'noise', value: { bytesValue: randomBytes(SPAN_BYTES) } }],
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'filler' } }] };
  return {
    id: traceId.toString('hex'),
    body: encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  };
}

interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** What a client knows of one node: the traces it sent, and which of them were acknowledged. */
class Sender {
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  readonly #node: TestNode;

  constructor(node: TestNode) {
    this.#node = node;
  }

  /** Sends one trace; undefined when it was acknowledged. */
  async send(): Promise<Refusal | undefined> {
    const { id, body } = makeTrace();
    const response = await fetch(`${this.#node.url}/insert/opentelemetry/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.from(body),
    });
    const text = await response.text();
    if (response.status === 200) {
      this.acknowledged.push(id);
      return undefined;
    }
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    this.refused.push(id);
    return { status: response.status, text };
  }

  async sendSome(count: number): Promise<void> {
    for (let i = 0; i < count; i++) expect(await this.send()).toBeUndefined();
  }

  async sendUntilRefused(): Promise<Refusal> {
    for (;;) {
      const refusal = await this.send();
      if (refusal !== undefined) return refusal;
    }
  }

  async sendUntilAccepted(): Promise<void> {
    await until('a trace to be accepted', async () => (await this.send()) === undefined);
  }

  /** Every acknowledged span is there once; of a refused trace every span or none, each once. */
  async check(): Promise<void> {
    for (const id of this.acknowledged) expect([id, await this.#count(id)]).toEqual([id, SPANS]);
    for (const id of this.refused) expect([0, SPANS]).toContain(await this.#count(id));
  }

  async #count(id: string): Promise<number> {
    const text = JSON.stringify((await exportTrace(this.#node, id)) ?? {});
    const spanIds = [...text.matchAll(/"spanId":"([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(spanIds).size).toBe(spanIds.length);
    return spanIds.length;
  }
}

/** Of the node started last, for the message of a failure. */
let log: () => string = () => '';

async function until(what: string, isDone: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 25_000;
  while (!(await isDone())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for ${what}\n${log()}`);
    await delay(20);
  }
}

/** POST /internal/force_flush or force_merge that may fail; its status and text. */
async function tryForce(node: TestNode, what: 'flush' | 'merge'): Promise<Refusal> {
  const response = await fetch(`${node.url}/internal/force_${what}`, { method: 'POST' });
  return { status: response.status, text: await response.text() };
}

/** With next to nothing kept free, so that the disk itself ends what is written. */
const minFree = '-storage.minFreeDiskSpaceBytes';
async function startOn(disk: SmallDisk, ...flags: string[]): Promise<TestNode> {
  const node = await startNode({
    dataPath: join(disk.path, 'data'),
    flags: flags.some((flag) => flag.startsWith(minFree)) ? flags : [`${minFree}=1`, ...flags],
  });
  log = () => node.log();
  return node;
}

async function logFlushed(node: TestNode): Promise<void> {
  const rows = async (): Promise<number | undefined> =>
    (await readMetrics(node)).get('vt_storage_rows{type="storage/log"}');
  await until('the log to be flushed', async () => (await rows()) === 0);
}

async function checkQueries(node: TestNode): Promise<void> {
  expect(await search(node, { service: 'filler', limit: 1 })).toHaveLength(1);
  expect((await askJson<{ data: string[] }>(node, '/api/services')).data).toEqual(['filler']);
}

const never = '-inmemoryDataFlushInterval=1h';

test.skipIf(!canRun)(
  'below -storage.minFreeDiskSpaceBytes senders are told to come back, by either protocol',
  async () => {
    using disk = new SmallDisk('24m');
    await using node = await startOn(disk, '-storage.minFreeDiskSpaceBytes=4MiB');
    const sender = new Sender(node);
    await sender.sendSome(2);
    disk.fillUpTo((4 << 20) - 4_096);
    const label = `{path="${node.dataPath}"}`;
    const isReadOnly = async (): Promise<boolean> =>
      (await readMetrics(node)).get(`vt_storage_is_read_only${label}`) === 1;
    await until('the next look at the disk', isReadOnly);
    expect(await sender.send()).toMatchObject({
      status: 429,
      text: expect.stringMatching(/asks for 4194304; free space/),
    });
    const failure = await callExport(node.grpcAddress, makeTrace().body).then(
      () => undefined,
      (error: ServiceError) => error,
    );
    expect(failure?.code).toBe(status.RESOURCE_EXHAUSTED);
    const [details] = failure?.metadata.get('grpc-status-details-bin') ?? [];
    expect(String(details)).toContain('type.googleapis.com/google.rpc.RetryInfo');
    await checkQueries(node);
    await force(node, 'flush');
    await sender.check();
    const full = await readMetrics(node);
    expect(full.get(`vt_free_disk_space_bytes${label}`)).toBeLessThan(4 << 20);
    expect(full.get(`vt_total_disk_space_bytes${label}`)).toBe(24 << 20);
    expect(full.get(`vt_max_disk_space_usage_bytes${label}`)).toBe(0);
    disk.removeBallast();
    await sender.sendUntilAccepted();
    await sender.check();
    expect(await isReadOnly()).toBe(false);
  },
);

test.skipIf(!canRun)(
  'filled by ingest: refused, queries go on, and space brings everything back',
  async () => {
    using disk = new SmallDisk('24m');
    disk.fillUpTo(12 << 20);
    await using node = await startOn(disk, '-inmemoryDataFlushInterval=1s');
    const sender = new Sender(node);
    const refusal = await sender.sendUntilRefused();
    expect(refusal).toEqual({ status: 429, text: expect.stringMatching(/free space/) });
    expect(sender.acknowledged.length).toBeGreaterThan(10);
    await checkQueries(node);
    await logFlushed(node);
    await sender.sendUntilAccepted();
    // The last look at the disk is younger than a second: the log itself runs into the end of the disk.
    disk.fillUpTo(64 << 10);
    expect(await sender.sendUntilRefused()).toEqual({ status: 503, text: expect.stringMatching(/free space/) });
    expect(node.log()).toMatch(/\.log: append failed: ENOSPC/);
    for (let i = 0; i < 20; i++) await sender.send();
    await checkQueries(node);
    const [day = ''] = readdirSync(join(node.dataPath, 'partitions'));
    const logs = readdirSync(join(node.dataPath, 'partitions', day, 'log')).filter((name) => name.endsWith('.log'));
    expect(logs.length).toBeLessThan(4);
    disk.removeBallast();
    await sender.sendUntilAccepted();
    await logFlushed(node);
    await sender.sendSome(3);
    await force(node, 'merge');
    await sender.check();
    await node.restart();
    await sender.check();
  },
  60_000,
);

test.skipIf(!canRun)(
  'full while a flush runs, at whatever byte: the log stays, and the next flush succeeds',
  async () => {
    using disk = new SmallDisk('24m');
    await using node = await startOn(disk, never);
    const sender = new Sender(node);
    await sender.sendSome(5);
    await force(node, 'flush');
    await sender.sendSome(10);
    // The part takes little more than its noise. From there on page by page: its last files, then the index.
    const noise = 10 * SPANS * SPAN_BYTES;
    const failures: string[] = [];
    for (let free = 0; free < 2 * noise; free += free < noise ? noise / 4 : 4_096) {
      disk.fillUpTo(free);
      const { status: code, text } = await tryForce(node, 'flush');
      if (code === 200) break;
      expect(code).toBe(503);
      expect(text).toMatch(/free space on this file system/);
      failures.push(text);
      await checkQueries(node);
    }
    // The index has free pages from listing the log files: it needs no more of the disk (test/index/disk-full.test.ts has it full).
    for (const place of [/\/data: write failed: ENOSPC/, /\/traces: .* ENOSPC/, /\/metadata: .* ENOSPC/])
      expect(failures.join('\n')).toMatch(place);
    await sender.check();
    disk.removeBallast();
    await force(node, 'flush');
    await sender.sendSome(3);
    await force(node, 'merge');
    await sender.check();
    await node.kill9();
    await node.start();
    await sender.check();
  },
  60_000,
);

test.skipIf(!canRun)(
  'full while a merge runs: its parts stay, and the next merge succeeds',
  async () => {
    using disk = new SmallDisk('24m');
    await using node = await startOn(disk, never);
    const sender = new Sender(node);
    for (let part = 0; part < 3; part++) {
      await sender.sendSome(12);
      await force(node, 'flush');
    }
    disk.fillUpTo(1 << 20);
    const refused = await tryForce(node, 'merge');
    expect(refused).toMatchObject({ status: 429, text: expect.stringMatching(/needs as much free space/) });
    disk.removeBallast();
    const [day = ''] = readdirSync(join(node.dataPath, 'partitions'));
    const parts = (): number => readdirSync(join(node.dataPath, 'partitions', day, 'parts')).length;
    const merged = tryForce(node, 'merge');
    while (parts() === 3) await turn();
    disk.fillUpTo(0);
    const { status: code, text } = await merged;
    // The merge may have been faster than the ballast.
    if (code !== 200) expect([code, text]).toEqual([503, expect.stringMatching(/free space on this file system/)]);
    await checkQueries(node);
    await sender.check();
    disk.removeBallast();
    await sender.sendUntilAccepted();
    await force(node, 'merge');
    expect(parts()).toBe(1);
    await sender.check();
  },
  60_000,
);

test.skipIf(!canRun)(
  'kept below its limit by retention in bytes, a node takes more than the disk could hold',
  async () => {
    using disk = new SmallDisk('24m');
    const limit = 8 << 20;
    await using node = await startOn(
      disk,
      '-inmemoryDataFlushInterval=1s',
      `-retention.maxDiskSpaceUsageBytes=${limit}`,
    );
    const sender = new Sender(node);
    const tracesMin = (36 << 20) / (SPANS * SPAN_BYTES);
    for (let sent = 0; sender.acknowledged.length < tracesMin; sent++) {
      if ((await sender.send()) !== undefined) await delay(50);
      // Parts that are small beside the limit, so that a drop takes as much as it must and not all there is.
      else if (sent % 5 === 0) await tryForce(node, 'flush');
    }
    await until(
      'the limit to hold',
      async () => (await readMetrics(node)).get('vt_data_size_bytes{type="storage"}')! <= limit,
    );
    const metrics = await readMetrics(node);
    expect(metrics.get('tracelith_retention_dropped_parts_total{reason="bytes"}')).toBeGreaterThan(3);
    expect(metrics.get('tracelith_retention_dropped_rows_total{reason="bytes"}')! % SPANS).toBe(0);
    await sender.sendUntilAccepted();
    expect(await exportTrace(node, sender.acknowledged.at(-1)!)).toBeDefined();
    expect(await exportTrace(node, sender.acknowledged[0]!)).toBeUndefined();
    await checkQueries(node);
  },
  60_000,
);
