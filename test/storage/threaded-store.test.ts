// The store behind its thread, with real workers: the same promises through messages.
import { describe, expect, test, vi } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { Pulse } from '../../src/base/pulse.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { deletedFilesHeld } from '../../src/disk/deleted-files.ts';
import { LocalReader } from '../../src/query/local-reader.ts';
import { openThreadedStore, type ThreadedStore, type ThreadedStoreOptions } from '../../src/storage/threaded-store.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { spanSet } from '../support/span-set.ts';
import { ANY_TRACE } from '../query/made-store.ts';
import { DAY_MS, memoryLog, TemporaryFolder } from './open-store.ts';
import { requestOf, spansIn, type MadeSpans } from './stored-spans.ts';

const openOn = (path: string, options: Partial<ThreadedStoreOptions> = {}): Promise<ThreadedStore> =>
  openThreadedStore({
    path,
    retentionMs: 7 * DAY_MS,
    futureRetentionMs: 2 * DAY_MS,
    spanAttributesMax: 1_024,
    spanBytesMax: 4 << 20,
    freeDiskBytesMin: 0,
    diskBytesMax: 0,
    diskPercentMax: 0,
    flushIntervalMs: 10_000,
    keepFailedRequests: false,
    tenantsMax: 10_000,
    snapshotsMaxAgeMs: 3 * DAY_MS,
    clockJumpGraceMs: 3_600_000,
    mergeWorkers: 1,
    mergeBytes: 64 << 20,
    logLevel: 'ERROR',
    logFormat: 'default',
    mainPulse: new Pulse().shared,
    patience: { looksMax: 8, waitingLooksMax: 80 },
    onFatal: (error) => {
      throw error;
    },
    onSilent: () => {
      throw new Error('the engine is silent');
    },
    ...options,
  });

/** This store's clock is the machine's. */
const todayNs = BigInt(Math.floor(Date.now() / DAY_MS) * DAY_MS) * 1_000_000n;
const today = (spec: MadeSpans): Uint8Array<ArrayBuffer> => requestOf({ startNs: (n) => todayNs + BigInt(n), ...spec });

async function stored(store: ThreadedStore): Promise<string[]> {
  const view = await store.takeView(DEFAULT_TENANT, {});
  const spans = spansIn(nodeDisk, view);
  await store.releaseView(view.id);
  return spans;
}

describe('a threaded store', () => {
  test('stores what is acknowledged already whatever its limits are, and has them for all else', async () => {
    using folder = new TemporaryFolder();
    const store = await openOn(folder.path, { spanBytesMax: 8 });
    const place = { identity: 'log', timeMs: 0, partition: 0 };
    const request = { tenant: DEFAULT_TENANT, body: today({ first: 0, count: 2 }), isAccepted: true };
    const body = request.body.slice();
    expect(await store.consume([request], { ...place, offset: 1n })).toEqual({ stored: 2, rejected: new Map() });
    const other = { tenant: DEFAULT_TENANT, body: today({ first: 2, count: 2 }) };
    expect(await store.consume([other], { ...place, offset: 2n })).toEqual({
      stored: 0,
      rejected: new Map([['too_large', 2]]),
    });
    expect(await stored(store)).toEqual(spanSet([body]));
    await store.close();
  });

  test.skipIf(process.platform !== 'linux')('has its query threads close what is merged or purged', async () => {
    using folder = new TemporaryFolder();
    const store = await openOn(folder.path);
    const [workers, concurrentMax, durationMaxMs] = [2, 4, 60_000];
    const reader = new LocalReader({ source: store, logger: memoryLog(), workers, concurrentMax, durationMaxMs });
    const searchAll = (): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 8 }, () =>
          reader.findNewest({ tenant: DEFAULT_TENANT }, { ...ANY_TRACE, startMaxNs: 2n ** 62n, service: 'shop' }),
        ),
      );
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await store.write({ tenant: DEFAULT_TENANT }, today({ first: 10 * i, count: 10 }));
        await store.forceFlush();
      }
      await searchAll();
    };
    try {
      for (const removing of [() => store.forceMerge(''), () => store.purge()]) {
        await fill();
        await removing();
        // Both threads are idle: they hear of it by themselves.
        await vi.waitFor(() => expect(deletedFilesHeld(folder.path)).toEqual({ files: 0, bytes: 0 }), {
          timeout: 30_000,
        });
        await searchAll();
      }
    } finally {
      await reader.close();
      await store.close();
    }
  });

  test('stores, lists, snapshots, flushes, merges and reopens as the storage does', async () => {
    using folder = new TemporaryFolder();
    const bodies = [0, 1, 2].map((i) => today({ first: 10 * i, count: 10 }));
    const expected = spanSet(bodies);
    let store = await openOn(folder.path);
    expect(store.report).toMatchObject({ partitions: 0, damaged: [] });
    for (const body of bodies) {
      expect(await store.write({ tenant: DEFAULT_TENANT }, body.slice())).toEqual({ stored: 10, rejected: new Map() });
      await store.forceFlush();
    }
    expect(await stored(store)).toEqual(expected);
    await store.forceMerge('');
    expect(await stored(store)).toEqual(expected);
    expect(await store.listServices(DEFAULT_TENANT)).toEqual({ items: ['shop'], warnings: [] });
    expect(await store.listServices(parseTenant('1', '1'))).toEqual({ items: [], warnings: [] });
    expect((await store.listOperations(DEFAULT_TENANT, 'shop', 1)).items).toHaveLength(3);
    expect(await store.stats()).toMatchObject({
      rowsReceived: 30,
      rowsStored: 30,
      parts: 1,
      logRows: 0,
      isReadOnly: false,
    });
    await store.close();
    await store.close();
    store = await openOn(folder.path);
    expect(store.report).toMatchObject({ parts: 1, partRows: 30, logRows: 0 });
    expect(await stored(store)).toEqual(expected);
    await store.close();
  }, 30_000);

  test('transfers a body that owns its buffer, and copies one that does not', async () => {
    using folder = new TemporaryFolder();
    const store = await openOn(folder.path);
    const owning = today({ first: 0, count: 2 });
    const shared = new Uint8Array(new Uint8Array([9, ...today({ first: 2, count: 2 }), 9]).buffer).subarray(1, -1);
    const before = shared.slice();
    await Promise.all([
      store.write({ tenant: DEFAULT_TENANT }, owning),
      store.write({ tenant: DEFAULT_TENANT }, shared),
    ]);
    expect(owning.length).toBe(0);
    expect(shared).toEqual(before);
    expect(await stored(store)).toHaveLength(4);
    await store.close();
  }, 30_000);

  test('passes on that spans are copied, which are taken as large as any node may take them', async () => {
    using folder = new TemporaryFolder();
    const store = await openOn(folder.path, { spanBytesMax: 10 });
    const call = { tenant: DEFAULT_TENANT };
    expect((await store.write(call, today({ first: 0, count: 3 }))).stored).toBe(0);
    expect((await store.write({ ...call, isCopied: true }, today({ first: 0, count: 3 }))).stored).toBe(3);
    await store.close();
  });

  test('gives errors back with their code', async () => {
    using folder = new TemporaryFolder();
    const store = await openOn(folder.path);
    const codeOf = (promise: Promise<unknown>): Promise<string> =>
      promise.then(
        () => 'none',
        (error: unknown) => (isStoreError(error) ? error.code : String(error)),
      );
    expect(await codeOf(store.write({ tenant: DEFAULT_TENANT }, Uint8Array.of(0xff)))).toBe('INVALID_REQUEST');
    expect(await codeOf(openOn(folder.path))).toBe('LOCKED');
    await store.close();
    expect(await codeOf(store.write({ tenant: DEFAULT_TENANT }, today({ first: 0, count: 1 })))).toBe('UNAVAILABLE');
  }, 30_000);

  test('that dies fails what waits with UNAVAILABLE and says so once', async () => {
    using folder = new TemporaryFolder();
    const fatal: string[] = [];
    const store = await openOn(folder.path, { onFatal: (error) => fatal.push(error.message) });
    await store.write({ tenant: DEFAULT_TENANT }, today({ first: 0, count: 3 }));
    // Releasing what was never taken is harmless; a message of no known shape is a bug, and ends the thread.
    const waiting = [store.stats(), store.takeView(null as never, { traceIds: 'not a list' as never }), store.stats()];
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes[1]).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
    expect(fatal).toHaveLength(1);
    await expect(store.stats()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await store.close();
    const again = await openOn(folder.path);
    expect(again.report).toMatchObject({ logRows: 3 });
    await again.close();
  }, 30_000);
});
