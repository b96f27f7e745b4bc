// A part's files: what is written is what is read, and what is damaged is said to be.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { cutBlocks } from '../../src/part/cut-blocks.ts';
import { checkFileHeader, encodeFileHeader, LOG_FORMAT, PART_DATA_FORMAT } from '../../src/part/format-version.ts';
import { formatHexId, parseHexId } from '../../src/part/hex-id.ts';
import { decodePartMetadata, encodePartMetadata, type PartMetadata } from '../../src/part/part-metadata.ts';
import { hasTraceKey, sortedTraceKeys, traceKeyHigh, traceKeyLow } from '../../src/part/trace-key.ts';
import { lookUpTrace, PAGE_ENTRIES_MAX, TraceLookupBuilder } from '../../src/part/trace-lookup.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { createRandom, printedSeed, randomBytes } from '../support/random-request.ts';

const corruption = expect.objectContaining({ code: 'CORRUPTION' });

describe('a hex id', () => {
  test.each([
    [1, '0000000000000001'],
    [255, '00000000000000ff'],
    [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
  ])('%d is written %s and read back', (id, name) => {
    expect(formatHexId(id)).toBe(name);
    expect(parseHexId(name)).toBe(id);
  });

  test.each(['', '1', '000000000000000G', '00000000000000001', 'ffffffffffffffff', '000000000000000A'])('is not %j', (name) => {
    expect(parseHexId(name)).toBeUndefined();
  });
});

describe('a file header', () => {
  test('of another kind, cut short, or with any bit flipped is CORRUPTION', () => {
    const header = encodeFileHeader(PART_DATA_FORMAT);
    checkFileHeader(PART_DATA_FORMAT, header, 'x');
    expect(() => checkFileHeader(LOG_FORMAT, header, 'x')).toThrow(corruption);
    for (let size = 0; size < header.length; size++) expect(() => checkFileHeader(PART_DATA_FORMAT, header.subarray(0, size), 'x')).toThrow(corruption);
    for (let bit = 0; bit < 8 * header.length; bit++) {
      const flipped = header.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => checkFileHeader(PART_DATA_FORMAT, flipped, 'x')).toThrow(corruption);
    }
  });

  test('of a newer version is FORMAT_TOO_NEW', () => {
    const newer = encodeFileHeader({ ...LOG_FORMAT, version: 2 });
    expect(() => checkFileHeader(LOG_FORMAT, newer, 'a.log')).toThrow('a.log: log format 2, newest known 1; upgrade this node');
  });
});

describe('cutBlocks', () => {
  test.each([
    { traceEnds: [], rowsMax: 10, expected: [] },
    { traceEnds: [10], rowsMax: 10, expected: [10] },
    { traceEnds: [4, 8, 12], rowsMax: 10, expected: [8, 12] },
    { traceEnds: [4, 10, 11], rowsMax: 10, expected: [10, 11] },
    { traceEnds: [25], rowsMax: 10, expected: [10, 20, 25] },
    { traceEnds: [3, 28, 30], rowsMax: 10, expected: [3, 13, 23, 30] },
    { traceEnds: [20, 40], rowsMax: 10, expected: [10, 20, 30, 40] },
  ])('of traces ending at $traceEnds with at most $rowsMax rows gives $expected', ({ traceEnds, rowsMax, expected }) => {
    expect(cutBlocks(Uint32Array.from(traceEnds), rowsMax)).toEqual(expected);
  });
});

describe('trace keys', () => {
  // Computed by another implementation of MurmurHash3_x86_32 (Python). The hash is stored: were it to change, old parts
  // would lose their traces.
  test.each([
    ['00000000000000000000000000000000', 0x8134cdf8, 24],
    ['000102030405060708090a0b0c0d0e0f', 0x191573dd, 83],
    ['0000000000000000a1b2c3d4e5f60718', 0xebe51c36, 86],
  ])('of %s stay what they are', (hex, high, low) => {
    const padded = Buffer.concat([Buffer.from('ff', 'hex'), Buffer.from(hex, 'hex')]);
    expect([traceKeyHigh(padded, 1), traceKeyLow(padded, 1)]).toEqual([high, low]);
  });

  test('find each of their ids, also those that differ in one half only', () => {
    const ids = new Uint8Array(16 * 1000);
    for (let i = 0; i < 1000; i++) new DataView(ids.buffer).setUint32(16 * i + (i % 2 === 0 ? 0 : 12), i + 1);
    const keys = sortedTraceKeys(ids);
    expect(new Set(keys).size).toBe(1000);
    for (let i = 0; i < 1000; i++) expect(hasTraceKey(keys, traceKeyHigh(ids, 16 * i))).toBe(true);
    expect(hasTraceKey(keys, traceKeyHigh(new Uint8Array(16)))).toBe(false);
    expect(hasTraceKey(new Uint32Array(0), 0)).toBe(false);
  });
});

describe('a trace lookup', () => {
  function write(path: string, builder: TraceLookupBuilder): Uint32Array {
    const { pages, fences } = builder.encode();
    writeFileSync(path, Buffer.concat([new Uint8Array(16), pages]));
    return fences;
  }

  test.each([1, PAGE_ENTRIES_MAX, PAGE_ENTRIES_MAX + 1, 10_000])('of %d traces finds each in its block, and no unknown one', (count) => {
    using folder = new TemporaryFolder();
    const random = createRandom(printedSeed('lookup'));
    const ids = randomBytes(random, 16 * count);
    const builder = new TraceLookupBuilder();
    for (let block = 0; block * 100 < count; block++) builder.addBlock(block, ids.subarray(block * 1600, Math.min(ids.length, (block + 1) * 1600)));
    const fences = write(join(folder.path, 'traces'), builder);
    const file = nodeDisk.openRead(join(folder.path, 'traces'));
    for (let i = 0; i < count; i++) expect(lookUpTrace(file, fences, ids.subarray(16 * i, 16 * i + 16))).toContain(Math.floor(i / 100));
    let wrong = 0;
    for (let i = 0; i < 1000; i++) wrong += lookUpTrace(file, fences, randomBytes(random, 16)).length;
    expect(wrong).toBeLessThan(3);
    file.close();
  });

  test('gives all blocks of a trace that is in more blocks than a page holds, in order', () => {
    using folder = new TemporaryFolder();
    const builder = new TraceLookupBuilder();
    const id = Uint8Array.from({ length: 16 }, (_, i) => i);
    for (let block = 1_999; block >= 0; block--) builder.addBlock(block, id);
    builder.addBlock(2_000, new Uint8Array(16));
    const fences = write(join(folder.path, 'traces'), builder);
    const file = nodeDisk.openRead(join(folder.path, 'traces'));
    expect(lookUpTrace(file, fences, id)).toEqual(Array.from({ length: 2_000 }, (_, block) => block));
    expect(lookUpTrace(file, fences, new Uint8Array(16))).toEqual([2_000]);
    file.close();
  });

  test('with a damaged page is CORRUPTION for the traces on it', () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'traces');
    const builder = new TraceLookupBuilder();
    builder.addBlock(0, new Uint8Array(16));
    const fences = write(path, builder);
    const bytes = readFileSync(path);
    bytes[40]! ^= 1;
    writeFileSync(path, bytes);
    const file = nodeDisk.openRead(path);
    expect(() => lookUpTrace(file, fences, new Uint8Array(16))).toThrow(corruption);
    file.close();
  });
});

describe('part metadata', () => {
  const metadata: PartMetadata = {
    day: 20_777,
    origin: { logSeqMax: 2 ** 40 + 5, partIds: [3, 2 ** 33, 9] },
    rowCount: 2 ** 35 + 7,
    dataBytes: 2 ** 42 + 1,
    tracesBytes: 4_112,
    blocks: [
      { offset: 16, sizeBytes: 500, tenant: parseTenant('1', '4294967295'), rowCount: 8_192, traceCount: 77, startMin: 0, startMax: 86_399_999_999_999, durationMin: -(2 ** 53), durationMax: 2 ** 53 },
      { offset: 2 ** 41, sizeBytes: 600, tenant: parseTenant('0', '0'), rowCount: 1, traceCount: 1, startMin: 5, startMax: 5, durationMin: 0, durationMax: 0 },
    ],
    fences: Uint32Array.of(0, 17, 0xffffffff),
  };

  test('is read back as it was written', () => {
    expect(decodePartMetadata(encodePartMetadata(metadata), 'x')).toEqual(metadata);
    const empty = { ...metadata, origin: { logSeqMax: 0, partIds: [] }, blocks: [], fences: new Uint32Array(0) };
    expect(decodePartMetadata(encodePartMetadata(empty), 'x')).toEqual(empty);
  });

  test('cut off anywhere, or with any byte changed, is CORRUPTION and never anything else', () => {
    const bytes = encodePartMetadata(metadata);
    for (let size = 0; size < bytes.length; size++) expect(() => decodePartMetadata(bytes.subarray(0, size), 'x')).toThrow(corruption);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 0xff;
      expect(() => decodePartMetadata(changed, 'x'), `byte ${at}`).toThrow(corruption);
    }
  });
});
