// The store from outside: what is acknowledged is there, after a restart, a flush, a merge; once; for its tenant only.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { StoreError } from '../../src/base/errors.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import { MERGE_PARTS_MIN } from '../../src/partition/plan-merge.ts';
import { isStoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { takeLock } from '../../src/disk/lock.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT, parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest, type OtlpAnyValue } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { spanSet } from '../support/span-set.ts';
import { DAY_MS, memoryLog, openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, partitionPath, requestOf, spansIn, storedSpans, traceIdOf } from './stored-spans.ts';

const stored = (storage: Storage, tenant: Tenant = DEFAULT_TENANT): string[] => storedSpans(storage, nodeDisk, tenant);
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isStoreError(error) ? error.code : String(error)),
  );

describe('what is acknowledged', () => {
  test('is the same in the log, after a restart, after a flush, after a merge and after another restart', async () => {
    using folder = new TemporaryFolder();
    const random = createRandom(printedSeed('storage'));
    const bodies = Array.from({ length: 30 }, () => encodeRequest(randomRequest(random, NOON_NS)));
    const expected = [...new Set(spanSet(bodies))].sort();

    let storage = openStore(folder.path);
    for (const body of bodies.slice(0, 20)) await storage.write(DEFAULT_TENANT, body.slice());
    storage.abandon();
    storage = openStore(folder.path);
    expect(stored(storage)).toEqual([...new Set(spanSet(bodies.slice(0, 20)))].sort());
    await storage.forceFlush();
    for (const body of bodies.slice(20)) await storage.write(DEFAULT_TENANT, body.slice());
    expect(stored(storage)).toEqual(expected);
    await storage.forceFlush();
    expect(stored(storage)).toEqual(expected);
    expect((await storage.stats()).logRows).toBe(0);
    await storage.forceMerge('2026');
    expect(stored(storage)).toEqual(expected);
    expect((await storage.stats()).parts).toBe(1);
    await storage.close();

    storage = openStore(folder.path);
    expect(storage.report).toMatchObject({ parts: 1, partRows: expected.length, logRows: 0, damaged: [] });
    expect(stored(storage)).toEqual(expected);
    await storage.close();
  });

  test('is visible to the next snapshot, and in the names', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 3, service: 'cart' }));
    expect(stored(storage)).toHaveLength(3);
    expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['cart']);
    expect(storage.listOperations(DEFAULT_TENANT, 'cart', 2).items).toEqual([{ name: 'op-1', kind: 2 }]);
    await storage.forceFlush();
    await storage.write(DEFAULT_TENANT, requestOf({ first: 3, count: 3, service: 'bill' }));
    expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['bill', 'cart']);
    expect(storage.listOperations(DEFAULT_TENANT, 'cart').items).toHaveLength(3);
    await storage.close();
    const again = openStore(folder.path);
    expect(again.listServices(DEFAULT_TENANT).items).toEqual(['bill', 'cart']);
    await again.close();
  });

  test('may be wider and larger than by default, and as deep as it may', async () => {
    using folder = new TemporaryFolder();
    const bounds = { spanAttributesMax: 2_000, spanBytesMax: limits.spanBytesMost };
    const storage = openStore(folder.path, bounds);
    const int = (n: number): OtlpAnyValue => ({ intValue: BigInt(n) });
    const wide = Array.from({ length: bounds.spanAttributesMax }, (_, n) => ({ key: `key-${n}`, value: int(n) }));
    let deep = int(1);
    for (let level = 1; level < limits.anyValueDepthMax; level++) deep = { arrayValue: { values: [deep] } };
    const long = { key: 'text', value: { stringValue: 'a long text of many words, '.repeat(170_000) } };
    const spans = [wide, [long], [{ key: 'deep', value: deep }]].map((attributes, n) => ({
      traceId: traceIdOf(n),
      spanId: Buffer.alloc(8, n + 1),
      startTimeUnixNano: NOON_NS,
      endTimeUnixNano: NOON_NS,
      attributes,
      events: [{ timeUnixNano: NOON_NS, name: 'e', attributes: n === 1 ? [] : attributes }],
    }));
    const body = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    expect(await storage.write(DEFAULT_TENANT, body.slice())).toEqual({ stored: 3, rejected: new Map() });
    for (const step of [async () => {}, () => storage.forceFlush()]) {
      await step();
      expect(stored(storage)).toEqual(spanSet([body]));
    }
    await storage.close();
  });

  test('belongs to its tenant alone', async () => {
    using folder = new TemporaryFolder();
    const other = parseTenant('7', '9');
    const storage = openStore(folder.path);
    const both = [
      storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 5, service: 'a' })),
      storage.write(other, requestOf({ first: 5, count: 7, service: 'b' })),
    ];
    await Promise.all(both);
    for (const step of [async () => {}, () => storage.forceFlush(), () => storage.forceMerge('')]) {
      await step();
      expect(stored(storage)).toHaveLength(5);
      expect(stored(storage, other)).toHaveLength(7);
      expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['a']);
      expect(storage.listServices(other).items).toEqual(['b']);
      expect(stored(storage, parseTenant('7', '8'))).toEqual([]);
    }
    await storage.close();
  });

  test('goes to the partition of the day it started', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await storage.write(
      DEFAULT_TENANT,
      requestOf({ first: 0, count: 4, startNs: (n) => NOON_NS - BigInt(n) * DAY_NS }),
    );
    expect(nodeDisk.list(join(folder.path, 'partitions'))).toEqual(['20261117', '20261118', '20261119', '20261120']);
    const view = storage.takeView(DEFAULT_TENANT, { startMinNs: NOON_NS - DAY_NS, startMaxNs: NOON_NS - 1n });
    expect(view.partitions.map(({ day }) => day)).toEqual([20_776]);
    storage.releaseView(view.id);
    await storage.forceMerge('202611');
    expect(stored(storage)).toHaveLength(4);
    expect((await storage.stats()).parts).toBe(4);
    await storage.close();
  });

  test('is stored once when it is sent twice, as far as one merge sees both', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    for (let i = 0; i < 3; i++) await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 8 }));
    expect(stored(storage)).toHaveLength(24);
    await storage.forceFlush();
    expect(stored(storage)).toHaveLength(8);
    await storage.write(DEFAULT_TENANT, requestOf({ first: 4, count: 8 }));
    await storage.forceMerge('');
    expect(stored(storage)).toHaveLength(12);
    expect((await storage.stats()).duplicatesRemoved).toBe(20);
    await storage.close();
  });
});

describe('requests', () => {
  test('that arrive together are one commit, and each is answered with its own result', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    const counts = [1, 2, 3, 4, 5];
    const results = await Promise.all(
      counts.map((count) => storage.write(DEFAULT_TENANT, requestOf({ first: 10 * count, count }))),
    );
    expect(results.map((result) => result.stored)).toEqual(counts);
    expect((await storage.stats()).commits).toBe(1);
    await storage.close();
  });

  test('that are malformed store nothing and hurt no other', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    const good = requestOf({ first: 0, count: 6 });
    const outcomes = await Promise.all([
      codeOf(storage.write(DEFAULT_TENANT, good.slice())),
      codeOf(storage.write(DEFAULT_TENANT, requestOf({ first: 50, count: 6 }).subarray(0, -3))),
      codeOf(storage.write(DEFAULT_TENANT, requestOf({ first: 100, count: 2 }))),
    ]);
    expect(outcomes).toEqual(['no error', 'INVALID_REQUEST', 'no error']);
    expect(stored(storage)).toEqual(spanSet([good, requestOf({ first: 100, count: 2 })]));
    expect(await storage.stats()).toMatchObject({ rowsReceived: 8, rowsStored: 8, requestsMalformed: 1 });
    await storage.close();
  });

  test('outside retention are rejected by name, and the ledger balances', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    const startNs = (n: number): bigint => NOON_NS + [-8n, -6n, 1n, 3n][n]! * DAY_NS;
    const result = await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4, startNs }));
    expect(result).toEqual({
      stored: 2,
      rejected: new Map([
        ['too_small_timestamp', 1],
        ['too_big_timestamp', 1],
      ]),
    });
    const stats = await storage.stats();
    expect(stats).toMatchObject({
      rowsReceived: 4,
      rowsStored: 2,
      rowsRejected: { too_small_timestamp: 1, too_big_timestamp: 1 },
    });
    await storage.close();
  });

  test("outside the retention of their tenant are rejected, and it cannot be longer than the store's own", async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    const startNs = (n: number): bigint => NOON_NS - [8n, 6n, 2n, 0n][n]! * DAY_NS;
    const rejectedOf = async (retentionMs: number | undefined): Promise<number> => {
      const request = requestOf({ first: 0, count: 4, startNs });
      const { rejected } = await storage.write(DEFAULT_TENANT, request, undefined, { retentionMs });
      return rejected.get('too_small_timestamp') ?? 0;
    };
    expect(await rejectedOf(3 * DAY_MS)).toBe(2);
    expect(await rejectedOf(2 * DAY_MS)).toBe(2);
    expect(await rejectedOf(2 * DAY_MS - 1)).toBe(3);
    expect(await rejectedOf(30 * DAY_MS)).toBe(1);
    expect(await rejectedOf(undefined)).toBe(1);
    await storage.close();
  });

  test('without a span are answered without a commit', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    expect(await storage.write(DEFAULT_TENANT, new Uint8Array(0))).toEqual({ stored: 0, rejected: new Map() });
    expect((await storage.stats()).commits).toBe(0);
    await storage.close();
  });

  test('above the rows of a commit wait for the next one, and all are answered', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    const writes = Array.from({ length: 12 }, (_, i) =>
      storage.write(DEFAULT_TENANT, requestOf({ first: i * 8_000, count: 8_000 })),
    );
    await Promise.all(writes);
    const stats = await storage.stats();
    expect(stats).toMatchObject({ rowsStored: 96_000, logRows: 96_000 });
    expect(stats.commits).toBeGreaterThan(1);
    await storage.close();
  });

  test('to a closed store are refused with UNAVAILABLE', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    const accepted = storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 2 }));
    const closed = storage.close();
    expect(await codeOf(storage.write(DEFAULT_TENANT, requestOf({ first: 2, count: 2 })))).toBe('UNAVAILABLE');
    expect((await accepted).stored).toBe(2);
    await closed;
    const again = openStore(folder.path);
    expect(again.report).toMatchObject({ partRows: 2, logRows: 0 });
    await again.close();
  });
});

test('a close whose flush takes too long goes without it: the log is on disk, everything is closed', async () => {
  using folder = new TemporaryFolder();
  const lines: string[] = [];
  const hanging = Promise.withResolvers<never>();
  // The time may be up before the flush has begun.
  hanging.promise.catch(() => undefined);
  const mergeRunner: MergeRunner = {
    run: () => hanging.promise,
    readLog: inlineMergeRunner(nodeDisk).readLog,
    close: async () => hanging.reject(new StoreError('UNAVAILABLE', 'the store is closing')),
  };
  const storage = openStore(folder.path, { mergeRunner, logger: memoryLog(lines) });
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 2 }));
  await storage.close(1);
  expect(lines).toEqual([expect.stringContaining('flush at the end failed, the next start reads the log back')]);
  const again = openStore(folder.path);
  expect(again.report).toMatchObject({ partRows: 0, logRows: 2 });
  await again.close();
});

describe('days that only client timestamps ask for', () => {
  test('are taken up to a bound, then their spans are rejected by name; days near today always are', async () => {
    using folder = new TemporaryFolder();
    const lines: string[] = [];
    const options = { partitionsMax: 3, retentionMs: 100 * 365 * DAY_MS, futureRetentionMs: 100 * 365 * DAY_MS };
    const storage = openStore(folder.path, { ...options, logger: memoryLog(lines) });
    const daysAgo = (days: number[]): Uint8Array =>
      requestOf({ first: 0, count: days.length, startNs: (n) => NOON_NS - BigInt(days[n]!) * DAY_NS });
    const send = async (...days: number[]): Promise<unknown> => {
      const { stored: rows, rejected } = await storage.write(DEFAULT_TENANT, daysAgo(days));
      return [rows, rejected.get('too_many_days') ?? 0];
    };
    // One request that names them all finds no more room than many would.
    expect(await send(100, 101, 102, 103, 104, 100, 103)).toEqual([4, 3]);
    expect(await send(102, 105)).toEqual([1, 1]);
    expect(await send(7, 0, -7)).toEqual([3, 0]);
    expect(await send(8)).toEqual([0, 1]);
    expect((await storage.stats()).partitions).toBe(6);
    await storage.close();
    const again = openStore(folder.path, { ...options, futureRetentionMs: 2 * DAY_MS, logger: memoryLog(lines) });
    expect(stored(again)).toHaveLength(8);
    expect(lines.filter((line) => line.includes('beyond -futureRetention'))).toHaveLength(1);
    await again.close();
  });

  test('that a failed request named are not held against others for long', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const storage = openStore(folder.path, { clock, partitionsMax: 1, retentionMs: 365 * DAY_MS });
    const on = (day: bigint): Uint8Array<ArrayBuffer> =>
      requestOf({ first: 0, count: 1, startNs: () => NOON_NS - day * DAY_NS });
    const malformed = Buffer.concat([on(100n), Uint8Array.of(0xff)]);
    expect(await codeOf(storage.write(DEFAULT_TENANT, malformed))).toBe('INVALID_REQUEST');
    expect((await storage.write(DEFAULT_TENANT, on(101n))).stored).toBe(0);
    clock.advance(10_000);
    await storage.runMaintenance();
    expect((await storage.write(DEFAULT_TENANT, on(101n))).stored).toBe(1);
    await storage.close();
  });
});

describe('a snapshot', () => {
  test('keeps its files through flush, merge and drop, until it is released', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const storage = openStore(folder.path, { clock });
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 8 }));
    const inLog = storage.takeView(DEFAULT_TENANT, {});
    await storage.forceFlush();
    const inPart = storage.takeView(DEFAULT_TENANT, {});
    await storage.write(DEFAULT_TENANT, requestOf({ first: 8, count: 8 }));
    await storage.forceMerge('');
    clock.advance(9 * DAY_MS);
    await storage.runMaintenance();
    expect(stored(storage)).toEqual([]);
    expect(spansIn(nodeDisk, inLog)).toHaveLength(8);
    expect(spansIn(nodeDisk, inPart)).toHaveLength(8);
    storage.releaseView(inLog.id);
    expect(spansIn(nodeDisk, inPart)).toHaveLength(8);
    storage.releaseView(inPart.id);
    storage.releaseView(inPart.id);
    await expect.poll(() => nodeDisk.list(join(folder.path, 'partitions'))).toEqual([]);
    await storage.close();
  });

  test('for a trace id leaves out the log blocks that cannot hold it, and no other', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    for (let i = 0; i < 20; i++) await storage.write(DEFAULT_TENANT, requestOf({ first: 4 * i, count: 4 }));
    const view = storage.takeView(DEFAULT_TENANT, { traceIds: [traceIdOf(7)], startMinNs: NOON_NS + DAY_NS });
    expect(view.partitions[0]?.logBlocks).toHaveLength(1);
    storage.releaseView(view.id);
    await storage.forceFlush();
    const flushed = storage.takeView(DEFAULT_TENANT, { traceIds: [traceIdOf(7)] });
    expect(flushed.partitions[0]?.parts).toHaveLength(1);
    storage.releaseView(flushed.id);
    await storage.close();
  });
});

describe('a purge', () => {
  test('removes a day too that is being opened', async () => {
    using folder = new TemporaryFolder();
    const gate = Promise.withResolvers<void>();
    const inline = inlineMergeRunner(nodeDisk);
    const readLog: MergeRunner['readLog'] = (job) => gate.promise.then(() => inline.readLog(job));
    const storage = openStore(folder.path, { mergeRunner: { ...inline, readLog } });
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4 }));
    const [day = ''] = storage.listPartitions();
    await storage.detachPartition(day);
    const attached = storage.attachPartition(day);
    const purged = storage.purge();
    gate.resolve();
    await attached;
    await purged;
    expect([storage.listPartitions(), nodeDisk.list(join(folder.path, 'partitions'))]).toEqual([[], []]);
    await storage.close();
  });

  test('removes every day, in log and parts, when the last query has ended; and the day takes spans again', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 8 }));
    await storage.forceFlush();
    await storage.write(DEFAULT_TENANT, requestOf({ first: 8, count: 8 }));
    const view = storage.takeView(DEFAULT_TENANT, {});
    let isDone = false;
    const purged = storage.purge().then(() => (isDone = true));
    // Nothing is found any more, but what is read stays.
    expect([stored(storage), storage.listServices(DEFAULT_TENANT).items]).toEqual([[], []]);
    expect(spansIn(nodeDisk, view)).toHaveLength(16);
    expect(isDone).toBe(false);
    storage.releaseView(view.id);
    await purged;
    expect(nodeDisk.list(join(folder.path, 'partitions'))).toEqual([]);
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4 }));
    expect(stored(storage)).toHaveLength(4);
    await storage.close();
  });
});

describe('by the clock', () => {
  test('the log is flushed at the interval, and small parts are merged', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const storage = openStore(folder.path, { clock });
    for (let i = 0; i <= MERGE_PARTS_MIN; i++) {
      await storage.write(DEFAULT_TENANT, requestOf({ first: 4 * i, count: 4 }));
      await storage.runMaintenance();
      expect((await storage.stats()).logRows).toBe(4);
      clock.advance(10_000);
      await storage.runMaintenance();
      expect((await storage.stats()).logRows).toBe(0);
    }
    expect(await storage.stats()).toMatchObject({ flushes: MERGE_PARTS_MIN + 1, merges: 1, parts: 2 });
    expect(stored(storage)).toHaveLength(4 * (MERGE_PARTS_MIN + 1));
    await storage.close();
  });

  test('days beyond retention are dropped, while running and at the start', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const storage = openStore(folder.path, { clock });
    await storage.write(
      DEFAULT_TENANT,
      requestOf({ first: 0, count: 4, startNs: (n) => NOON_NS - BigInt(n) * DAY_NS }),
    );
    clock.advance(5 * DAY_MS);
    await storage.runMaintenance();
    expect(nodeDisk.list(join(folder.path, 'partitions'))).toEqual(['20261118', '20261119', '20261120']);
    await storage.close();
    clock.advance(DAY_MS);
    const again = openStore(folder.path, { clock });
    expect(again.report.dropped).toEqual(['20261118']);
    expect(stored(again)).toHaveLength(2);
    await again.close();
  });
});

describe('with too little free space', () => {
  test('writes are refused with READ_ONLY, reads go on, and writes come back by themselves', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    let freeBytes = 1_000;
    const disk = { ...nodeDisk, freeBytes: () => freeBytes };
    const lines: string[] = [];
    const storage = openStore(folder.path, { clock, disk, freeDiskBytesMin: 500, logger: memoryLog(lines) });
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4 }));
    freeBytes = 499;
    clock.advance(1_000);
    for (let i = 0; i < 3; i++) await storage.runMaintenance();
    expect(await codeOf(storage.write(DEFAULT_TENANT, requestOf({ first: 4, count: 4 })))).toBe('READ_ONLY');
    expect(stored(storage)).toHaveLength(4);
    expect((await storage.stats()).isReadOnly).toBe(true);
    await storage.forceFlush();
    freeBytes = 500;
    clock.advance(1_000);
    await storage.runMaintenance();
    await storage.write(DEFAULT_TENANT, requestOf({ first: 4, count: 4 }));
    expect(stored(storage)).toHaveLength(8);
    const told = lines.filter((line) => /read-only|writable/.test(line));
    expect(told).toEqual([
      expect.stringMatching(/ WARN {2}read-only: spans are refused until this ends why="\/.*: 499 bytes free, .*"\n$/),
      expect.stringMatching(/ INFO {2}writable again: spans are taken\n$/),
    ]);
    await storage.close();
  });
});

describe('opening', () => {
  test('a directory that another store has open is refused with LOCKED', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path, { takeLock });
    expect(() => openStore(folder.path, { takeLock })).toThrow(expect.objectContaining({ code: 'LOCKED' }));
    await storage.close();
    await openStore(folder.path, { takeLock }).close();
  });

  test('removes part folders and log files that no catalog knows of', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4 }));
    await storage.close();
    const partition = partitionPath(folder.path);
    const parts = nodeDisk.list(join(partition, 'parts'));
    expect(parts).toHaveLength(1);
    for (const stray of ['00000000000000ff', newIdentity()]) {
      nodeDisk.makeDir(join(partition, 'parts', stray));
      writeFileSync(join(partition, 'parts', stray, 'data'), 'half');
    }
    for (const stray of ['0000000000000001.log', `0000000000000001-${newIdentity()}.log`])
      writeFileSync(join(partition, 'log', stray), 'flushed long ago');
    const again = openStore(folder.path);
    expect(nodeDisk.list(join(partition, 'parts'))).toEqual(parts);
    expect(nodeDisk.list(join(partition, 'log'))).toEqual([]);
    expect(stored(again)).toHaveLength(4);
    await again.close();
  });
});
