// The outlines of a part give back what each block was said to have, and damage of any byte is seen.
import { describe, expect, test } from 'vitest';
import type { BlockOutline } from '../../src/block/outline.ts';
import { decodeOutlines, durationStep, OutlinesBuilder, type BlockIds } from '../../src/part/outlines.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const random = createRandom(printedSeed('outlines'));
const below = (n: number): number => Math.floor(random() * n);

function randomOutline(): BlockOutline {
  const some = (most: number): number[] => [...new Set(Array.from({ length: below(most) }, () => below(40)))];
  const operations = some(30).map(
    (n) =>
      [
        { service: `s${n % 5}`, name: ['', 'žluť', 'x'.repeat(300)][n % 3]! + n, kind: n - 3, status: n % 4 },
        below(1e9),
      ] as const,
  );
  const bytes = (n: number): Uint8Array => new Uint8Array(n).fill(n);
  return { operations: new Map(operations), resources: some(20).map(bytes), scopes: some(5).map(bytes) };
}

test('every block has what it was given', () => {
  const given = Array.from({ length: 50 }, randomOutline);
  const builder = new OutlinesBuilder();
  for (const outline of given) builder.addBlock(outline);
  const read = decodeOutlines(builder.encode());
  const of = <T>({ starts, ids }: BlockIds, block: number, list: readonly T[]): T[] =>
    Array.from(ids.subarray(starts[block], starts[block + 1]), (id) => list[id]!);
  const texts = (list: readonly Uint8Array[]): string[] => list.map((one) => Buffer.from(one).toString('hex')).sort();
  given.forEach(({ operations, resources, scopes }, block) => {
    const { starts } = read.operationIds;
    const steps = read.durationSteps.subarray(starts[block], starts[block + 1]);
    const found = of(read.operationIds, block, read.operations).map((one, i) => JSON.stringify([one, steps[i]]));
    const expected = Array.from(operations, ([one, longest]) => JSON.stringify([one, durationStep(longest)]));
    expect(found.sort()).toEqual(expected.sort());
    expect(texts(of(read.resourceIds, block, read.resources))).toEqual(texts(resources));
    expect(texts(of(read.scopeIds, block, read.scopes))).toEqual(texts(scopes));
  });
});

describe('the step of a duration', () => {
  test('never falls when the duration grows', () => {
    let before = 0;
    for (const ns of [
      -Infinity,
      -5,
      0,
      0.5,
      1,
      2,
      3,
      1e3,
      1e6,
      1.1e6,
      1.3e6,
      1e9,
      2 ** 53,
      2 ** 63,
      2 ** 64,
      Infinity,
    ]) {
      expect([ns, durationStep(ns) >= before, durationStep(ns) <= 255]).toEqual([ns, true, true]);
      before = durationStep(ns);
    }
  });

  test('tells durations a fifth apart from each other', () => {
    for (let ns = 1000; ns < 1e15; ns *= 1.19) expect(durationStep(ns * 1.19)).toBeGreaterThan(durationStep(ns));
  });
});

test('a flipped bit or a missing byte is CORRUPTION', () => {
  const builder = new OutlinesBuilder();
  for (let i = 0; i < 5; i++) builder.addBlock(randomOutline());
  const bytes = builder.encode();
  for (let at = 0; at < bytes.length; at++) {
    const broken = bytes.slice();
    broken[at]! ^= 1 << below(8);
    expect(() => decodeOutlines(broken, '/p/filters')).toThrow('/p/filters: the outlines fail their checksum');
  }
  for (const end of [0, 5, bytes.length - 1]) {
    expect(() => decodeOutlines(bytes.subarray(0, end))).toThrow('checksum');
  }
});
