import { describe, expect, test } from 'vitest';
import { newIdentity } from '../../src/part/identity.ts';
import { traceKeyHigh, traceKeyLow } from '../../src/part/trace-key.ts';
import { TraceSet, TraceSets } from '../../src/part/trace-set.ts';
import { createRandom, printedSeed, randomBytes } from '../support/random-request.ts';

const keysOf = (ids: Uint8Array): number[] =>
  Array.from({ length: ids.length / 16 }, (_, i) => traceKeyHigh(ids, 16 * i) * 256 + traceKeyLow(ids, 16 * i));

test.each([0, 1, 10, 20_000])('a set of %d traces has each of them, and few others', (count) => {
  const random = createRandom(printedSeed('trace set'));
  const set = new TraceSet(count);
  const keys = keysOf(randomBytes(random, 16 * count));
  for (const key of keys) set.add(key);
  expect(keys.every((key) => set.mayHave(key))).toBe(true);
  const wrong = keysOf(randomBytes(random, 16 * 10_000)).filter((key) => set.mayHave(key)).length;
  expect(wrong).toBeLessThan(400);
  expect(set.sizeBytes).toBeLessThanOrEqual(1.25 * count + 64);
});

describe('the sets of a thread', () => {
  test('are made once, and forgotten least recently used first when they take too much', () => {
    const sets = new TraceSets(300);
    const made: number[] = [];
    const parts = [newIdentity(), newIdentity(), newIdentity()];
    const use = (part: number): void => void sets.find(parts[part]!, 100, () => made.push(part));
    for (const part of [0, 1, 0, 2, 0, 1]) use(part);
    expect([made, sets.bytes]).toEqual([[0, 1, 2, 1], 256]);
    expect(sets.find(newIdentity(), 1_000, () => made.push(9))).toBeUndefined();
    expect([made.length, sets.bytes, parts.map((part) => sets.has(part))]).toEqual([4, 256, [true, true, false]]);
  });

  test('do not keep one that could not be filled', () => {
    const sets = new TraceSets();
    const part = newIdentity();
    const fail = (): never => {
      throw new Error('damaged');
    };
    expect(() => sets.find(part, 10, fail)).toThrow('damaged');
    expect([sets.has(part), sets.bytes]).toEqual([false, 0]);
  });
});
