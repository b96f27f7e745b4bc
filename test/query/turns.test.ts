// The line in front of the query workers.
import { expect, test } from 'vitest';
import { Turns } from '../../src/query/turns.ts';

function turnsOf(options: Partial<ConstructorParameters<typeof Turns>[0]> = {}): Turns {
  return new Turns({ runningMax: 2, waitingMax: 3, waitMaxMs: 60_000, ...options });
}

test('those above the bound wait and go in the order they came', async () => {
  const turns = turnsOf();
  const order: number[] = [];
  const all = [0, 1, 2, 3, 4].map(async (n) => {
    await turns.take();
    order.push(n);
  });
  await Promise.all(all.slice(0, 2));
  expect(order).toEqual([0, 1]);
  for (const n of [2, 3, 4]) {
    turns.release();
    await all[n];
    expect(order.at(-1)).toBe(n);
  }
});

test('the line has an end', async () => {
  const turns = turnsOf({ waitingMax: 1 });
  await Promise.all([turns.take(), turns.take()]);
  const waiting = turns.take();
  await expect(turns.take()).rejects.toMatchObject({
    code: 'OVERLOADED',
    message: expect.stringContaining('-search.maxConcurrentRequests') as string,
  });
  expect(turns.counts).toEqual({ running: 2, runningMax: 2, waiting: 1, limitReached: 2, limitTimeouts: 1 });
  turns.release();
  await waiting;
});

test('waiting has an end, and who left the line is not given a turn', async () => {
  const turns = turnsOf({ runningMax: 1, waitMaxMs: 5 });
  await turns.take();
  await expect(turns.take()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(turns.counts).toEqual({ running: 1, runningMax: 1, waiting: 0, limitReached: 1, limitTimeouts: 1 });
  turns.release();
  await turns.take();
});

test('a client that goes leaves the line at once, also when it had gone before', async () => {
  const turns = turnsOf({ runningMax: 1 });
  await turns.take();
  const controller = new AbortController();
  const waiting = turns.take(controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  await expect(turns.take(controller.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
  turns.release();
  await turns.take();
});
