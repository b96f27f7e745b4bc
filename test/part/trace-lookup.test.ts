import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { Spill } from '../../src/part/spill.ts';
import { lookUpTrace, lookUpTraces, PAGE_SIZE, TraceLookupBuilder, TraceProbes } from '../../src/part/trace-lookup.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { createRandom, printedSeed, randomBytes } from '../support/random-request.ts';

const corruption = expect.objectContaining({ code: 'CORRUPTION' });

function pagesOf(builder: TraceLookupBuilder): { pages: Buffer; fences: Uint32Array } {
  const pages: Uint8Array[] = [];
  const fences = builder.write((some) => pages.push(some));
  return { pages: Buffer.concat(pages), fences };
}

describe('a trace lookup', () => {
  function write(path: string, builder: TraceLookupBuilder): Uint32Array {
    const { pages, fences } = pagesOf(builder);
    writeFileSync(path, Buffer.concat([new Uint8Array(16), pages]));
    return fences;
  }

  test.each([1, 2, 100, 800, 10_000])('of %d traces finds each in its block, and no unknown one', (count) => {
    using folder = new TemporaryFolder();
    const random = createRandom(printedSeed('lookup'));
    const ids = randomBytes(random, 16 * count);
    const builder = new TraceLookupBuilder();
    for (let block = 0; block * 100 < count; block++)
      builder.addBlock(block, ids.subarray(block * 1600, Math.min(ids.length, (block + 1) * 1600)));
    const fences = write(join(folder.path, 'traces'), builder);
    const pages = { file: nodeDisk.openRead(join(folder.path, 'traces')), start: 16, fences };
    for (let i = 0; i < count; i++)
      expect(lookUpTrace(pages, ids.subarray(16 * i, 16 * i + 16))).toContain(Math.floor(i / 100));
    const blocks = Array.from({ length: Math.ceil(count / 100) }, (_, block) => block);
    const some = ids.subarray(16 * Math.floor(count / 3));
    expect(lookUpTraces(pages, new TraceProbes(some))).toEqual(blocks.slice(Math.floor(count / 300)));
    for (let i = 0; i < count; i += 97) {
      const probes = new TraceProbes(ids.subarray(16 * i, 16 * i + 16));
      expect(lookUpTraces(pages, probes)).toEqual([Math.floor(i / 100)]);
    }
    const among = Buffer.concat([randomBytes(random, 16 * 2000), some]);
    expect(lookUpTraces(pages, new TraceProbes(among))).toEqual(blocks.slice(Math.floor(count / 300)));
    expect(lookUpTraces(pages, new TraceProbes(new Uint8Array(0)))).toEqual([]);
    let wrong = 0;
    for (let i = 0; i < 1000; i++) wrong += lookUpTrace(pages, randomBytes(random, 16)).length;
    expect(wrong).toBeLessThan(3);
    pages.file.close();
  });

  test('is the same, page by page, whether its entries were in memory or waited on disk', () => {
    using folder = new TemporaryFolder();
    const ids = randomBytes(createRandom(printedSeed('lookup spill')), 16 * 50_000);
    // One trace in every block, which is more than a page's entries of one key.
    const blocks = Array.from({ length: 500 }, (_, block) =>
      Buffer.concat([ids.subarray(0, 16), ids.subarray(block * 1600, (block + 1) * 1600)]),
    );
    const inMemory = new TraceLookupBuilder();
    blocks.forEach((block, number) => inMemory.addBlock(number, block));
    const expected = pagesOf(inMemory);
    for (const entriesMax of [1, 1000, 7_777, 49_000]) {
      const spill = new Spill(nodeDisk, join(folder.path, 'spill'), 0);
      const builder = new TraceLookupBuilder(spill, entriesMax);
      blocks.forEach((block, number) => {
        builder.addBlock(number, block);
        expect(builder.usedBytes).toBeLessThan(8 * entriesMax);
      });
      const { pages, fences } = pagesOf(builder);
      expect([Buffer.compare(pages, expected.pages), fences]).toEqual([0, expected.fences]);
      spill.drop();
    }
  });

  test('takes some four bytes an entry', () => {
    const builder = new TraceLookupBuilder();
    const ids = randomBytes(createRandom(1), 16 * 200_000);
    for (let block = 0; block < 100; block++)
      builder.addBlock(block, ids.subarray(block * 32_000, (block + 1) * 32_000));
    const { pages, fences } = pagesOf(builder);
    expect(pages.length).toBe(fences.length * PAGE_SIZE);
    expect(pages.length / 200_000).toBeLessThan(4.3);
  });

  test('holds keys as far apart as they may be, and block numbers up to the largest', () => {
    using folder = new TemporaryFolder();
    const random = createRandom(printedSeed('lookup far'));
    const ids = randomBytes(random, 16 * 3);
    const builder = new TraceLookupBuilder();
    const blocks = [0, (1 << 24) - 1, 0xabcdef];
    blocks.forEach((block, i) => builder.addBlock(block, ids.subarray(16 * i, 16 * i + 16)));
    const fences = write(join(folder.path, 'traces'), builder);
    const pages = { file: nodeDisk.openRead(join(folder.path, 'traces')), start: 16, fences };
    blocks.forEach((block, i) => expect(lookUpTrace(pages, ids.subarray(16 * i, 16 * i + 16))).toEqual([block]));
    pages.file.close();
  });

  test('gives all blocks of a trace that is in more blocks than a page holds, in order', () => {
    using folder = new TemporaryFolder();
    const builder = new TraceLookupBuilder();
    const id = Uint8Array.from({ length: 16 }, (_, i) => i);
    for (let block = 8_999; block >= 0; block--) builder.addBlock(block, id);
    builder.addBlock(9_000, new Uint8Array(16));
    const fences = write(join(folder.path, 'traces'), builder);
    const pages = { file: nodeDisk.openRead(join(folder.path, 'traces')), start: 16, fences };
    expect(lookUpTrace(pages, id)).toEqual(Array.from({ length: 9_000 }, (_, block) => block));
    expect(lookUpTrace(pages, new Uint8Array(16))).toEqual([9_000]);
    const both = new TraceProbes(Buffer.concat([new Uint8Array(16), id]));
    expect(lookUpTraces(pages, both)).toEqual(Array.from({ length: 9_001 }, (_, block) => block));
    expect(lookUpTraces(pages, new TraceProbes(id))).toHaveLength(9_000);
    pages.file.close();
  });

  test('with a damaged page is CORRUPTION for the traces on it', () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'traces');
    const builder = new TraceLookupBuilder();
    builder.addBlock(0, new Uint8Array(16));
    const fences = write(path, builder);
    const bytes = readFileSync(path);
    bytes[400]! ^= 1;
    writeFileSync(path, bytes);
    const pages = { file: nodeDisk.openRead(path), start: 16, fences };
    expect(() => lookUpTrace(pages, new Uint8Array(16))).toThrow(corruption);
    pages.file.close();
  });
});
