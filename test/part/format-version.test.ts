import { describe, expect, test } from 'vitest';
import type { ReadFile } from '../../src/disk/disk.ts';
import {
  blocksStart,
  encodeFileHeader,
  FILE_HEADER_SIZE,
  LOG_FORMAT,
  PART_DATA_FORMAT,
  PART_TRACES_FORMAT,
  PLAIN_HEADER_SIZE,
  readFileHeader,
} from '../../src/part/format-version.ts';
import { newIdentity } from '../../src/part/identity.ts';

const corruption = expect.objectContaining({ code: 'CORRUPTION' });
const identity = newIdentity();
const header = encodeFileHeader(PART_DATA_FORMAT, identity);
const ofFormat1 = encodeFileHeader({ ...PART_DATA_FORMAT, version: 1 });

function fileOf(path: string, bytes: Uint8Array): ReadFile {
  const read = (offset: number, sizeBytes: number): Uint8Array<ArrayBuffer> =>
    new Uint8Array(bytes.subarray(offset, offset + sizeBytes));
  return { path, sizeBytes: bytes.length, read, close: () => undefined };
}

describe('a file header', () => {
  test('of another kind, cut short, or with any bit flipped is CORRUPTION', () => {
    expect(readFileHeader(PART_DATA_FORMAT, header, 'x')).toBe(identity);
    expect(() => readFileHeader(LOG_FORMAT, header, 'x')).toThrow(corruption);
    for (let size = 0; size < header.length; size++)
      expect(() => readFileHeader(PART_DATA_FORMAT, header.subarray(0, size), 'x')).toThrow(corruption);
    for (let bit = 0; bit < 8 * header.length; bit++) {
      const flipped = header.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readFileHeader(PART_DATA_FORMAT, flipped, 'x')).toThrow(corruption);
    }
  });

  test('of a newer version is FORMAT_TOO_NEW, whatever follows its first 16 bytes', () => {
    const newer = encodeFileHeader({ ...LOG_FORMAT, version: 3 }, identity).fill(7, PLAIN_HEADER_SIZE);
    expect(() => readFileHeader(LOG_FORMAT, newer, 'a.log')).toThrow(
      'a.log: log format 3, newest known 2; upgrade this node',
    );
  });

  test('of format 1 names nobody; a program that knows format 1 alone finds what is written now too new', () => {
    expect(readFileHeader(PART_DATA_FORMAT, ofFormat1, 'x')).toBeUndefined();
    expect(ofFormat1.length).toBe(PLAIN_HEADER_SIZE);
    const knowing1 = { ...PART_DATA_FORMAT, version: 1 };
    expect(() => readFileHeader(knowing1, header, 'x')).toThrow(expect.objectContaining({ code: 'FORMAT_TOO_NEW' }));
  });

  const number = '0000000000000003';
  test.each([
    ['in its own place', `parts/${identity}/data`, header, true],
    ['in a place that says nothing', 'copied/data', header, true],
    ['in the place of another part', `parts/${newIdentity()}/data`, header, false],
    ['in the place of a part of format 1', `parts/${number}/data`, header, false],
    ['of format 1 in its place', `parts/${number}/data`, ofFormat1, true],
    ['of format 1 in the place of a part of now', `parts/${identity}/data`, ofFormat1, false],
  ])('%s: %s', (_what, path, bytes, isRight) => {
    const read = (): unknown => readFileHeader(PART_DATA_FORMAT, bytes, path);
    const start = (): number => blocksStart(PART_DATA_FORMAT, fileOf(path, bytes));
    if (!isRight) for (const call of [read, start]) expect(call).toThrow(corruption);
    else expect([read(), start()]).toEqual([bytes === header ? identity : undefined, bytes.length]);
  });

  test('that is damaged in front of blocks costs nothing: its place says how long it was', () => {
    const damaged = header.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
    expect(blocksStart(PART_DATA_FORMAT, fileOf(`parts/${identity}/data`, damaged))).toBe(FILE_HEADER_SIZE);
    expect(blocksStart(PART_DATA_FORMAT, fileOf(`parts/${number}/data`, new Uint8Array(5)))).toBe(PLAIN_HEADER_SIZE);
    expect(blocksStart(LOG_FORMAT, fileOf(`log/${number}-${identity}.log`, new Uint8Array(0)))).toBe(FILE_HEADER_SIZE);
    expect(blocksStart(LOG_FORMAT, fileOf(`log/${number}.log`, new Uint8Array(0)))).toBe(PLAIN_HEADER_SIZE);
    const traces = encodeFileHeader(PART_TRACES_FORMAT, identity);
    expect(() => blocksStart(PART_DATA_FORMAT, fileOf(`parts/${identity}/data`, traces))).toThrow(corruption);
  });
});
