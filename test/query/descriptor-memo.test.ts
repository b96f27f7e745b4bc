// Each descriptor is decided once, whatever else is asked in between.
import { expect, test } from 'vitest';
import { DescriptorMemo } from '../../src/query/descriptor-memo.ts';

test('decides each descriptor once and remembers both answers', () => {
  const asked: number[] = [];
  const memo = new DescriptorMemo((bytes) => {
    asked.push(bytes[0]!);
    return bytes[0]! % 2 === 1;
  });
  const all = Array.from({ length: 200 }, (_, i) => i);
  const expected = all.map((i) => i % 2 === 1);
  expect(all.map((i) => memo.holds(Uint8Array.of(i)))).toEqual(expected);
  expect(all.map((i) => memo.holds(Uint8Array.of(i)))).toEqual(expected);
  expect(asked).toEqual(all);
});
