// Archived traces over real query threads: found when the store has them no more, joined with what it has.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '../../src/base/logger.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { LocalArchive } from '../../src/query/local-archive.ts';
import { LocalReader } from '../../src/query/local-reader.ts';
import { ArchiveFolder } from '../../src/archive/archive-folder.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { decodeTraces, spansOf } from '../support/otlp-proto.ts';
import { ANY_TRACE, MadeStore } from './made-store.ts';

let full: MadeStore;
/** What the reader's views are of. */
let store: MadeStore;
let folder: ArchiveFolder;
let reader: LocalReader;
let archive: LocalArchive;

beforeAll(() => {
  full = new MadeStore();
  full.addPart([requestOf([span(1), span(2), span(7, { trace: 2 })])]);
  full.addLog([requestOf([span(3, { startTimeUnixNano: NOON_NS + 86_400_000_000_000n })], 'cart')]);
  store = full;
  folder = new ArchiveFolder({ path: full.path, disk: nodeDisk, bytesMax: 1 << 20, freeDiskBytesMin: 0 });
  const source = {
    listServices: () => Promise.resolve({ items: [], warnings: [] }),
    listOperations: () => Promise.resolve({ items: [], warnings: [] }),
    takeView: () => Promise.resolve({ ...store.view, id: 1 }),
    releaseView: () => undefined,
    reportDamage: () => Promise.resolve(),
  };
  const logger = createLogger({ write: () => undefined });
  reader = new LocalReader({ source, archive: folder, logger, workers: 1, concurrentMax: 2, durationMaxMs: 60_000 });
  archive = new LocalArchive({ folder, disk: nodeDisk, reader });
});
afterAll(async () => {
  await archive.close();
  await reader.close();
  full[Symbol.dispose]();
});

const one = idOf(1, 16);
const find = async (
  id = one,
): Promise<{ otlp: Uint8Array | undefined; spans: number[]; warnings: readonly string[] }> => {
  const { traces, warnings } = await reader.findTraces({ tenant: DEFAULT_TENANT }, [id]);
  const otlp = traces[0]?.otlp;
  return {
    otlp,
    spans: otlp === undefined ? [] : spansOf(decodeTraces(otlp)).map(({ spanId }) => spanId![7]!),
    warnings,
  };
};

test('an archived trace outlives its spans in the store, byte for byte, and only it', async () => {
  const before = await find();
  expect(before.spans).toEqual([1, 2, 3]);
  expect(await archive.archiveTrace({ tenant: DEFAULT_TENANT }, one)).toEqual({ isFound: true, warnings: [] });
  expect(await archive.archiveTrace({ tenant: DEFAULT_TENANT }, idOf(9, 16))).toEqual({ isFound: false, warnings: [] });
  expect(await find()).toEqual(before);
  using empty = new MadeStore();
  store = empty;
  expect(await find()).toEqual(before);
  expect((await find(idOf(2, 16))).spans).toEqual([]);
  expect((await reader.findTraces({ tenant: parseTenant('1', '1') }, [one])).traces).toEqual([]);
  expect((await reader.findNewest({ tenant: DEFAULT_TENANT }, ANY_TRACE)).traces).toEqual([]);
});

test('what is left of it in the store is joined with it; archived again, both stay', async () => {
  using part = new MadeStore();
  part.addPart([requestOf([span(2), span(4)])]);
  store = part;
  expect((await find()).spans).toEqual([1, 2, 4, 3]);
  await Promise.all([
    archive.archiveTrace({ tenant: DEFAULT_TENANT }, one),
    archive.archiveTrace({ tenant: DEFAULT_TENANT }, one),
  ]);
  using empty = new MadeStore();
  store = empty;
  expect((await find()).spans).toEqual([1, 2, 4, 3]);
  expect(folder.traces).toBe(1);
});

test('a damaged file is left out with a warning, and the store’s spans still come', async () => {
  using part = new MadeStore();
  part.addPart([requestOf([span(5)])]);
  store = part;
  const path = folder.find(DEFAULT_TENANT, one)!;
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.from(bytes).fill(0, 60, 64));
  const { spans, warnings } = await find();
  expect([spans, warnings]).toEqual([[5], [expect.stringContaining(path)]]);
  writeFileSync(path, bytes);
});

test('a damaged file that is replaced is in quarantine first', async () => {
  using part = new MadeStore();
  part.addPart([requestOf([span(5)])]);
  store = part;
  const path = folder.find(DEFAULT_TENANT, one)!;
  const bytes = readFileSync(path);
  const damaged = Buffer.from(bytes).fill(0, 60, 64);
  writeFileSync(path, damaged);
  const archived = await archive.archiveTrace({ tenant: DEFAULT_TENANT }, one);
  expect(archived).toEqual({ isFound: true, warnings: [expect.stringContaining(path)] });
  const kept = nodeDisk.list(join(full.path, 'quarantine')).map((name) => join(full.path, 'quarantine', name));
  expect(kept).toEqual([expect.stringMatching(/archive-0-0-.*\.trace-0$/), expect.stringMatching(/\.trace-0\.txt$/)]);
  expect(readFileSync(kept[0]!)).toEqual(damaged);
  writeFileSync(path, bytes);
});

test('deleted, it is what the store has again', async () => {
  store = full;
  expect([
    await archive.deleteArchived({ tenant: DEFAULT_TENANT }, one),
    await archive.deleteArchived({ tenant: DEFAULT_TENANT }, one),
  ]).toEqual([true, false]);
  expect(await archive.isArchived({ tenant: DEFAULT_TENANT }, one)).toBe(false);
  expect((await find()).spans).toEqual([1, 2, 3]);
});
