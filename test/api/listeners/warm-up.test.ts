// A node warms up once before it is ready, and goes on only while nobody asks anything.
import { expect, test } from 'vitest';
import { openWarmUp } from '../../../src/api/listeners/warm-up.ts';

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

const noBug = (error: unknown): never => {
  throw error;
};
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 120));

test('one pass before the node is ready, more while no query runs or waits, none after the end', async () => {
  const reader = new CountedReader();
  reader.turns = { running: 1, waiting: 0 };
  const warming = await openWarmUp(reader, noBug);
  expect(reader.passes).toBe(1);
  await later();
  expect(reader.passes).toBe(1);
  const { promise: third, resolve } = Promise.withResolvers<void>();
  reader.onPass = () => (reader.passes === 3 ? resolve() : undefined);
  reader.turns = { running: 0, waiting: 0 };
  await third;
  await warming.close();
  const { passes } = reader;
  await later();
  expect(reader.passes).toBe(passes);
});

test('a bug before the node is ready fails the start; one after it is told', async () => {
  const reader = new CountedReader();
  const fail = (): never => {
    throw new Error('BUG: for the test');
  };
  reader.onPass = fail;
  await expect(openWarmUp(reader, noBug)).rejects.toThrow('for the test');
  reader.onPass = () => undefined;
  const { promise: told, resolve } = Promise.withResolvers<unknown>();
  const warming = await openWarmUp(reader, resolve);
  reader.onPass = fail;
  expect(await told).toMatchObject({ message: 'BUG: for the test' });
  await warming.close();
});
