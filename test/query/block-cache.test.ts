// What stays open between queries: within its bound, told apart by key, read anew after a failure.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as C from '../../src/block/block-columns.ts';
import type { BlockReader } from '../../src/block/block-reader.ts';
import { decodedGroup } from '../../src/block/decoded-group.ts';
import type { ReadFile } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { BlockCache } from '../../src/query/block-cache.ts';
import { batchOf, blockOf, requestOf, span } from '../block/scanned.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracelith-block-cache-'));
const block = blockOf(batchOf(requestOf(Array.from({ length: 50 }, (_, i) => span(i + 1)))));
let file: ReadFile;
let reads = 0;

beforeAll(() => {
  const path = join(folder, 'blocks');
  writeFileSync(path, Buffer.concat([block, block, block]));
  const open = nodeDisk.openRead(path);
  file = {
    path,
    sizeBytes: open.sizeBytes,
    read: (offset, sizeBytes) => {
      reads++;
      return open.read(offset, sizeBytes);
    },
    close: () => open.close(),
  };
});
afterAll(() => {
  file.close();
  rmSync(folder, { recursive: true });
});

const place = (number: number) => ({ file, range: { offset: number * block.length, sizeBytes: block.length } });
const spanIds = (reader: BlockReader): number => reader.groups[0]!.fixed(C.COLUMN_SPAN_IDS, 8).length;

test('a frame that was looked at is not read again, and counts for every user', () => {
  const cache = new BlockCache(1 << 20);
  const [first, second] = [{ bytes: 0 }, { bytes: 0 }];
  cache.use('a', place(0), (reader) => spanIds(reader.charge(first)));
  reads = 0;
  expect(cache.use('a', place(0), (reader) => spanIds(reader.charge(second)) + spanIds(reader))).toBe(800);
  expect([reads, second.bytes]).toEqual([0, first.bytes]);
  expect(first.bytes).toBe(400);
});

test('keeps within its bound: what was used longest ago goes', () => {
  const cache = new BlockCache(1 << 20);
  cache.use('a', place(0), spanIds);
  const one = cache.bytes;
  const two = new BlockCache(2 * one);
  for (const [key, number] of [
    ['a', 0],
    ['b', 1],
    ['a', 0],
    ['c', 2],
  ] as const) {
    two.use(key, place(number), spanIds);
  }
  expect(two.bytes).toBe(2 * one);
  const readsOf = (key: string, number: number): number => {
    reads = 0;
    two.use(key, place(number), spanIds);
    return reads;
  };
  expect([readsOf('a', 0), readsOf('c', 2), readsOf('b', 1) > 0]).toEqual([0, 0, true]);
});

test('a block larger than the bound is read and not kept', () => {
  const cache = new BlockCache(1);
  expect(cache.use('a', place(0), spanIds)).toBe(400);
  expect(cache.bytes).toBe(0);
});

test('what was decompressed and decoded of a block is freed when it leaves', () => {
  const cache = new BlockCache(1);
  const read = cache.use('a', place(0), (reader) => {
    const group = decodedGroup(reader.groups[0]!);
    const names = reader.list(C.COLUMN_STRINGS);
    return { starts: group.traceColumns().starts, rows: group.section(C.SECTION_SPANS).rows, names: names.bytes };
  });
  expect([read.starts.length, read.rows.length]).toEqual([0, 0]);
  // Lists are copies.
  expect(read.names.length).toBeGreaterThan(0);
});

test('what failed is not kept', () => {
  const cache = new BlockCache(1 << 20);
  cache.use('a', place(0), spanIds);
  const fail = (): never => {
    throw new Error('damaged');
  };
  expect(() => cache.use('a', place(0), fail)).toThrow('damaged');
  expect(cache.bytes).toBe(0);
  expect(cache.use('a', place(0), spanIds)).toBe(400);
});
