// A node warms up once before it is ready, and goes on only while nobody asks anything.
import { expect, test } from 'vitest';
import { keepWarming, warmUp } from '../../../src/api/listeners/warm-up.ts';

class CountedReader {
  passes = 0;
  turns = { running: 0, waiting: 0 };
  onPass: () => void = () => undefined;

  warmUp(): Promise<void> {
    this.passes++;
    this.onPass();
    return Promise.resolve();
  }
}

test('one pass before the node is ready', async () => {
  const reader = new CountedReader();
  await warmUp(reader);
  expect(reader.passes).toBe(1);
});

test('no pass while a query runs or waits; then until it is stopped', async () => {
  const reader = new CountedReader();
  reader.turns = { running: 1, waiting: 0 };
  const leaving = new AbortController();
  const { promise: second, resolve } = Promise.withResolvers<void>();
  reader.onPass = () => {
    if (reader.passes === 1) reader.turns = { running: 0, waiting: 0 };
    if (reader.passes === 2) resolve();
  };
  const warming = keepWarming(reader, leaving.signal);
  await new Promise((later) => setTimeout(later, 120));
  expect(reader.passes).toBe(0);
  reader.turns = { running: 0, waiting: 0 };
  await second;
  leaving.abort();
  await warming;
  const { passes } = reader;
  await new Promise((later) => setTimeout(later, 120));
  expect(reader.passes).toBe(passes);
});

test('a bug in a pass is thrown', async () => {
  const reader = new CountedReader();
  reader.onPass = () => {
    throw new Error('BUG: for the test');
  };
  await expect(keepWarming(reader, new AbortController().signal)).rejects.toThrow('for the test');
});
