// What was appended is read back, wherever it lies, and nothing of it is left on disk.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { Spill } from '../../src/part/spill.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { createRandom, printedSeed, randomBytes } from '../support/random-request.ts';

test.each([0, 1, 100, 1_000_000])('a spill of at most %d bytes in memory gives back what it took', (bytesMax) => {
  using folder = new TemporaryFolder();
  const random = createRandom(printedSeed('spill'));
  const spill = new Spill(nodeDisk, join(folder.path, 'spill'), bytesMax);
  const pieces = Array.from({ length: 60 }, () => randomBytes(random, Math.floor(random() * 50)));
  for (const piece of pieces) {
    spill.append(piece);
    expect(spill.usedBytes).toBeLessThanOrEqual(bytesMax);
  }
  const all = Buffer.concat(pieces);
  expect(spill.sizeBytes).toBe(all.length);
  for (const [from, end] of [
    [0, 0],
    [3, 77],
    [0, all.length],
  ] as const) {
    expect(Buffer.compare(spill.read(from, end), all.subarray(from, end))).toBe(0);
  }
  const copy = nodeDisk.createFile(join(folder.path, 'copy'));
  spill.copyTo(copy);
  copy.close();
  const file = nodeDisk.openRead(copy.path);
  expect(Buffer.compare(file.read(0, file.sizeBytes), all)).toBe(0);
  file.close();
  spill.drop();
  expect(nodeDisk.list(folder.path)).toEqual(['copy']);
});

test('a spill that is written to while it is read is a bug', () => {
  using folder = new TemporaryFolder();
  const spill = new Spill(nodeDisk, join(folder.path, 'spill'), 1);
  spill.append(new Uint8Array(5));
  spill.read(0, 5);
  expect(() => spill.append(new Uint8Array(1))).toThrow('BUG: a spill written to while it is read');
  spill.drop();
});
