// What a query may skip, and what damage does: one block less and a warning, never a failed query.
import { rmSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BlockReader } from '../../src/block/block-reader.ts';
import { BlockSource, PartCache, type ViewFiles } from '../../src/query/block-source.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { attribute, idOf, requestOf, span } from '../block/scanned.ts';
import { Deadline } from '../../src/query/deadline.ts';
import { searchTraceIds } from '../../src/query/search-traces.ts';
import { ANY_TRACE, MadeStore } from './made-store.ts';

const oneOf = (trace: number): ReturnType<typeof requestOf> => requestOf([span(trace, { trace })]);

/** Flips a byte of the file, counted from its end. */
function damage(path: string, fromEnd: number): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - fromEnd]! ^= 1;
  writeFileSync(path, bytes);
}

/** How many blocks are whole. */
function countRead(source: BlockSource): number {
  const isWhole = (block: BlockReader): boolean => {
    block.verify();
    return true;
  };
  return source.blocks().filter((candidate) => candidate.read(isWhole) === true).length;
}

test('every block of the tenant, of parts and logs, with the times its header tells', () => {
  using store = new MadeStore();
  store.addPart([oneOf(1), oneOf(2)]);
  store.addPart([oneOf(3)], parseTenant('1', '1'));
  store.addLog([oneOf(4)]);
  using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
  const blocks = source.blocks();
  const noon = 43_200_000_000_000;
  expect(blocks.map(({ day, startMin, startMax, durationMax }) => [day, startMin, startMax, durationMax])).toEqual([
    [20_777, noon, noon, 1e9],
    [20_777, noon, noon, 1e9],
    [20_777, noon, noon, Infinity],
  ]);
  expect([countRead(source), source.warnings()]).toEqual([3, []]);
  expect(blocks.map((block) => block.filter() !== undefined)).toEqual([true, true, false]);
});

test('for a trace only the blocks of a part that may hold it, and every log block', () => {
  using store = new MadeStore();
  store.addPart([oneOf(1), oneOf(2), oneOf(3)]);
  store.addLog([oneOf(4)]);
  using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
  expect(source.blocksOfTraces([idOf(2, 16)])).toHaveLength(2);
  expect(source.blocksOfTraces([idOf(2, 16), idOf(1, 16), idOf(2, 16)])).toHaveLength(3);
  expect(source.blocksOfTraces([idOf(99, 16)])).toHaveLength(1);
});

describe('damage is a warning that names the place:', () => {
  test('a block of a part', () => {
    using store = new MadeStore();
    const [path] = store.addPart([oneOf(1), oneOf(2)]);
    damage(join(path!, 'data'), 10);
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    expect([countRead(source), source.warnings()]).toEqual([1, [expect.stringContaining(join(path!, 'data'))]]);
    expect(store.search({})).toEqual([1]);
    expect(store.run({ kind: 'find', traceIds: [idOf(1, 16), idOf(2, 16)] })).toMatchObject({
      traces: [{ traceId: idOf(1, 16) }],
      warnings: [expect.stringContaining('data')],
    });
  });

  test('a log block', () => {
    using store = new MadeStore();
    const [path] = store.addLog([oneOf(1), oneOf(2)]);
    damage(path!, 10);
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    expect([countRead(source), source.warnings()]).toEqual([1, [expect.stringContaining(path!)]]);
  });

  test('a whole part or log file gone', () => {
    using store = new MadeStore();
    const [part] = store.addPart([oneOf(1)]);
    const [log] = store.addLog([oneOf(2)]);
    store.addPart([oneOf(3)]);
    const { view } = store;
    for (const path of [part!, log!]) rmSync(path, { recursive: true });
    using source = new BlockSource(store.cache, view, DEFAULT_TENANT);
    expect([countRead(source), source.warnings().length]).toEqual([1, 2]);
    expect(source.blocksOfTraces([idOf(1, 16)])).toHaveLength(1);
  });

  test('a filter: its block is read instead', () => {
    using store = new MadeStore();
    const [path] = store.addPart([oneOf(1)]);
    damage(join(path!, 'filters'), 1);
    expect(store.search({ service: 'shop' })).toEqual([1]);
  });
});

describe('the cache of parts', () => {
  test('keeps a part open from query to query', () => {
    using store = new MadeStore();
    store.addPart([oneOf(1)]);
    const [place] = store.view.partitions[0]!.parts;
    expect(store.cache.open(place!)).toBe(store.cache.open(place!));
  });

  test('reads a part anew that another has taken the path of', () => {
    using store = new MadeStore();
    using other = new MadeStore();
    const [path] = store.addPart([oneOf(1)]);
    expect(store.search({})).toEqual([1]);
    const [newPath] = other.addPart([requestOf([span(7, { trace: 7 }), span(8, { trace: 7 })])]);
    rmSync(path!, { recursive: true });
    nodeDisk.rename(newPath!, path!);
    const [partition] = other.view.partitions;
    const view: ViewFiles = {
      partitions: [{ ...partition!, parts: [{ ...partition!.parts[0]!, path: path! }] }],
    };
    using source = new BlockSource(store.cache, view, DEFAULT_TENANT);
    expect(countRead(source)).toBe(1);
    expect(source.blocksOfTraces([idOf(7, 16)])).toHaveLength(1);
    expect(source.warnings()).toEqual([]);
  });

  test('closes those not used for long, and opens them again when a block of theirs is read', () => {
    using store = new MadeStore();
    for (let i = 0; i < 70; i++) store.addPart([oneOf(i + 1)]);
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    expect([countRead(source), countRead(source), source.warnings()]).toEqual([70, 70, []]);
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
      const cache = new PartCache(nodeDisk, bytesMax);
      expect([bytesMax, find(cache), find(cache)]).toEqual([bytesMax, [4, 5], [4, 5]]);
      expect(cache.filterBytes).toBeLessThanOrEqual(bytesMax);
      cache.close();
      expect(cache.filterBytes).toBe(0);
    }
  });
});
