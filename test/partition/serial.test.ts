import { expect, test } from 'vitest';
import { Serial } from '../../src/partition/serial.ts';

test('serial actions run one after the other, whatever became of the one before', async () => {
  const serial = new Serial();
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = serial.run(async () => {
    await gate.promise;
    seen.push('first');
    throw new Error('failed');
  });
  const second = serial.run(async () => seen.push('second'));
  gate.resolve();
  await expect(first).rejects.toThrow('failed');
  await second;
  await serial.idle();
  expect(seen).toEqual(['first', 'second']);
});
