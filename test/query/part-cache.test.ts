// What stays open between the queries of a thread: within its bound, never closed under a query, closed when it is gone,
// and a file that could not be opened for want of descriptors is not remembered as damaged.
import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import type { BlockReader } from '../../src/block/block-reader.ts';
import type { Disk, ReadFile } from '../../src/disk/disk.ts';
import { diskError, nodeDisk } from '../../src/disk/node-disk.ts';
import type { Identity } from '../../src/part/identity.ts';
import type { PartReader } from '../../src/part/part-reader.ts';
import { BlockSource } from '../../src/query/block-source.ts';
import { Deadline } from '../../src/query/deadline.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import type { QueryResult, QueryTask } from '../../src/query/run-query.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { attribute, idOf, requestOf, span } from '../block/scanned.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { Asker } from '../support/store-answers.ts';
import { ANY_TRACE, MadeStore, searchTraceIds } from './made-store.ts';

const hexOf = (trace: number): string => Buffer.from(idOf(trace, 16)).toString('hex');
const oneOf = (trace: number): OtlpRequest => requestOf([span(trace, { trace })]);

function countRead(source: BlockSource): number {
  const isWhole = (block: BlockReader): boolean => {
    block.verify();
    return true;
  };
  return source.blocks().filter((candidate) => candidate.read(isWhole) === true).length;
}

/** nodeDisk, counting what is open; `refuse` gives the errno of an open that fails. */
class CountingDisk {
  open = new Set<ReadFile>();
  openMost = 0;
  refuse: (path: string) => string | undefined = () => undefined;
  readonly disk: Disk = { ...nodeDisk, openRead: (path) => this.#openRead(path) };

  #openRead(path: string): ReadFile {
    const code = this.refuse(path);
    if (code !== undefined) throw diskError('openRead', path, Object.assign(new Error(code), { code }));
    const file = nodeDisk.openRead(path);
    this.open.add(file);
    this.openMost = Math.max(this.openMost, this.open.size);
    const close = (): void => {
      file.close();
      this.open.delete(file);
    };
    return { path, sizeBytes: file.sizeBytes, read: (at, size) => file.read(at, size), close };
  }
}

const OPEN_FILES_MAX = 128;
const ALL_TIME = { startNs: 0n, endNs: 2n ** 62n };
const DEPENDENCIES: QueryTask = { kind: 'dependencies', ...ALL_TIME };
const TASKS: readonly QueryTask[] = [
  DEPENDENCIES,
  {
    kind: 'metrics',
    query: {
      ...ALL_TIME,
      startNs: 20_777n * 86_400_000_000_000n,
      endNs: 20_778n * 86_400_000_000_000n,
      services: ['back'],
      kinds: [],
      isByOperation: false,
    },
  },
  { kind: 'search', query: ANY_TRACE },
  { kind: 'find', traceIds: [idOf(1, 16), idOf(99, 16)] },
];

/** A call from front to back. */
function callOf(trace: number): OtlpRequest {
  const front = requestOf([span(1, { trace })], 'front');
  const back = requestOf([span(2, { trace, parentSpanId: idOf(1, 8) })], 'back');
  return { resourceSpans: [...front.resourceSpans!, ...back.resourceSpans!] };
}

function callCount(result: QueryResult): number {
  if (result.kind !== 'dependencies') throw new Error(result.kind);
  return result.dependencies.reduce((sum, dependency) => sum + dependency.callCount, 0);
}

describe('descriptors', () => {
  test('stay within their bound, whatever is asked of however many parts', () => {
    using store = new MadeStore();
    for (let trace = 1; trace <= 150; trace++) store.addPart([callOf(trace)]);
    store.addLog([callOf(151)]);
    const counted = new CountingDisk();
    const cache = new PartCache(counted.disk);
    for (let round = 0; round < 3; round++) {
      for (const task of TASKS) {
        const result = store.run(task, DEFAULT_TENANT, cache);
        expect([task.kind, result.warnings]).toEqual([task.kind, []]);
        if (task === DEPENDENCIES) expect(callCount(result)).toBe(151);
        expect(counted.open.size).toBeLessThanOrEqual(OPEN_FILES_MAX);
        expect(counted.open.size).toBe(cache.openFiles);
      }
    }
    // What is worked on comes on top of what is kept.
    expect(counted.openMost).toBeLessThanOrEqual(OPEN_FILES_MAX + 8);
    cache.close();
    expect(counted.open.size).toBe(0);
  });

  test('of many log files of one query are few', () => {
    using store = new MadeStore();
    for (let trace = 1; trace <= 60; trace++) store.addLog([callOf(trace)]);
    const counted = new CountingDisk();
    const cache = new PartCache(counted.disk);
    for (const task of TASKS) store.run(task, DEFAULT_TENANT, cache);
    expect([counted.open.size, counted.openMost <= 17]).toEqual([0, true]);
  });

  test('that are out make room: what nobody uses is closed, and the query goes on', () => {
    using store = new MadeStore();
    for (let trace = 1; trace <= 20; trace++) store.addPart([callOf(trace)]);
    const counted = new CountingDisk();
    counted.refuse = () => (counted.open.size >= 6 ? 'EMFILE' : undefined);
    const cache = new PartCache(counted.disk);
    for (let round = 0; round < 2; round++) {
      for (const task of TASKS) expect(store.run(task, DEFAULT_TENANT, cache).warnings).toEqual([]);
      expect(callCount(store.run(DEPENDENCIES, DEFAULT_TENANT, cache))).toBe(20);
    }
  });

  test.each(['filters', 'traces', 'rollups', 'metadata', 'data'])(
    'that are out for good fail the query when %s is opened, and are not remembered as damage of it',
    (name) => {
      using store = new MadeStore();
      for (let trace = 1; trace <= 3; trace++) store.addPart([callOf(trace)]);
      for (const errno of ['EMFILE', 'ENFILE', 'ENOMEM']) {
        const counted = new CountingDisk();
        const cache = new PartCache(counted.disk);
        counted.refuse = (path) => (path.endsWith(name) ? errno : undefined);
        const results = TASKS.map((task) => {
          try {
            return store.run(task, DEFAULT_TENANT, cache);
          } catch (error) {
            expect(error).toMatchObject({ code: 'DISK', message: expect.stringContaining(errno) });
            return undefined;
          }
        });
        expect(results.some((result) => result === undefined)).toBe(true);
        // Whoever is answered is answered in full.
        for (const result of results) if (result?.kind === 'dependencies') expect(callCount(result)).toBe(3);
        counted.refuse = () => undefined;
        for (const task of TASKS) expect(store.run(task, DEFAULT_TENANT, cache).warnings).toEqual([]);
      }
    },
  );

  test('EIO once costs the query that meets it, and what is pruned by filters is pruned by them again', () => {
    using store = new MadeStore();
    for (let i = 1; i <= 4; i++)
      store.addPart([requestOf([span(i, { trace: i, attributes: [attribute('id', `id-${i}`)] })])]);
    const counted = new CountingDisk();
    const cache = new PartCache(counted.disk);
    const pruned = (): number => {
      using source = new BlockSource(cache, store.view, DEFAULT_TENANT);
      const ids = searchTraceIds(source, { ...ANY_TRACE, tags: [{ key: 'id', value: 'id-3' }] }, new Deadline(60_000));
      expect(ids.map((id) => id[15])).toEqual([3]);
      return source.work.fates.tags;
    };
    counted.refuse = (path) => (path.endsWith('filters') ? 'EIO' : undefined);
    const withoutFilters = pruned();
    counted.refuse = () => undefined;
    expect([withoutFilters, pruned()]).toEqual([0, 3]);
  });
});

describe('a part that is gone', () => {
  test('is closed, at the latest before the next use of another', () => {
    using store = new MadeStore();
    for (let trace = 1; trace <= 3; trace++) store.addPart([callOf(trace)]);
    const places = store.view.partitions[0]!.parts;
    const counted = new CountingDisk();
    let gone: Identity[] = [];
    const cache = new PartCache(counted.disk, { takeGone: () => gone.splice(0) });
    for (const task of TASKS) store.run(task, DEFAULT_TENANT, cache);
    const openOf = (path: string): number => [...counted.open].filter((file) => file.path.startsWith(path)).length;
    expect(places.map(({ path }) => openOf(path) > 0)).toEqual([true, true, true]);
    cache.drop(places[0]!.identity);
    gone = [places[1]!.identity];
    cache.use(places[2]!, () => undefined);
    expect(places.map(({ path }) => openOf(path) > 0)).toEqual([false, false, true]);
  });

  test('while a query reads it is a bug', () => {
    using store = new MadeStore();
    store.addPart([oneOf(1)]);
    const [place] = store.view.partitions[0]!.parts;
    expect(() => store.cache.use(place!, () => store.cache.drop(place!.identity))).toThrow(BugError);
    expect(store.search({})).toEqual([1]);
  });

  test('cannot be read any more', () => {
    using store = new MadeStore();
    store.addPart([oneOf(1)]);
    const part = store.cache.use(store.view.partitions[0]!.parts[0]!, (open) => open);
    store.cache.close();
    for (const read of [
      () => part.dataFile(),
      () => part.findTrace(idOf(1, 16)),
      () => part.filter(0),
      () => part.rollups(),
    ])
      expect(read).toThrow(BugError);
  });
});

describe('the cache of parts', () => {
  test('keeps a part open from query to query', () => {
    using store = new MadeStore();
    store.addPart([oneOf(1)]);
    const [place] = store.view.partitions[0]!.parts;
    const open = (): PartReader => store.cache.use(place!, (part) => part);
    expect(open()).toBe(open());
  });

  test('takes no file of a day that is gone for one of the day begun anew in its place', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    using asker = new Asker();
    const ask = (trace: number): [string[], string[]] => [
      [...asker.traces(storage, DEFAULT_TENANT, [hexOf(trace)]).keys()],
      asker.search(storage, DEFAULT_TENANT, { ...ANY_TRACE, startMaxNs: 2n ** 62n }),
    ];
    // Alike in size, rows and times: log block and part of each round lie where those of the last one lay.
    for (let trace = 1; trace <= 4; trace++) {
      await storage.write(DEFAULT_TENANT, encodeRequest(oneOf(trace)));
      expect([trace, ...ask(trace)]).toEqual([trace, [hexOf(trace)], [hexOf(trace)]]);
      await storage.forceFlush();
      expect([trace, ...ask(trace)]).toEqual([trace, [hexOf(trace)], [hexOf(trace)]]);
      expect(ask(trace - 1)[0]).toEqual([]);
      await storage.purge();
    }
    expect([...asker.warnings]).toEqual([]);
    await storage.close();
  });

  test('opens again after it was closed', () => {
    using store = new MadeStore();
    store.addPart([oneOf(1)]);
    const cache = new PartCache(nodeDisk);
    for (let round = 0; round < 2; round++) {
      using source = new BlockSource(cache, store.view, DEFAULT_TENANT);
      expect(countRead(source)).toBe(1);
      cache.close();
    }
  });

  test('keeps filters within their memory, and prunes as well without', () => {
    using store = new MadeStore();
    for (let i = 1; i <= 6; i++) {
      store.addPart([requestOf([span(i, { trace: i, attributes: [attribute('id', `id-${i}`)] })])]);
    }
    const find = (cache: PartCache): number[] => {
      using source = new BlockSource(cache, store.view, DEFAULT_TENANT);
      const tags = [{ key: 'id', value: 'id-4' }];
      const ids = searchTraceIds(source, { ...ANY_TRACE, tags }, new Deadline(60_000));
      return [...ids.map((id) => id[15]!), source.work.fates.tags];
    };
    // A filter of these blocks is some 50 bytes.
    for (const bytesMax of [0, 120, 1 << 20]) {
      const cache = new PartCache(nodeDisk, { filterBytesMax: bytesMax });
      expect([bytesMax, find(cache), find(cache)]).toEqual([bytesMax, [4, 5], [4, 5]]);
      expect(cache.filterBytes).toBeLessThanOrEqual(bytesMax);
      cache.close();
      expect(cache.filterBytes).toBe(0);
    }
  });
});
