// The line in front of the query workers.
import { describe, expect, test } from 'vitest';
import { Turns } from '../../src/query/turns.ts';
import type { Tenant } from '../../src/trace/tenant.ts';

const [A, B] = ['1:0', '2:0'] as [Tenant, Tenant];

function turnsOf(options: Partial<ConstructorParameters<typeof Turns>[0]> = {}): Turns {
  return new Turns({ runningMax: 2, waitingMax: 3, waitMaxMs: 60_000, ...options });
}

test('those above the bound wait and go in the order they came', async () => {
  const turns = turnsOf();
  const order: number[] = [];
  const all = [0, 1, 2, 3, 4].map(async (n) => {
    await turns.take(A);
    order.push(n);
  });
  await Promise.all(all.slice(0, 2));
  expect(order).toEqual([0, 1]);
  for (const n of [2, 3, 4]) {
    turns.release(A);
    await all[n];
    expect(order.at(-1)).toBe(n);
  }
});

test('the line has an end', async () => {
  const turns = turnsOf({ waitingMax: 1 });
  await Promise.all([turns.take(A), turns.take(A)]);
  const waiting = turns.take(A);
  await expect(turns.take(A)).rejects.toMatchObject({
    code: 'OVERLOADED',
    message: expect.stringContaining('-search.maxConcurrentRequests') as string,
  });
  expect(turns.counts).toEqual({ running: 2, runningMax: 2, waiting: 1, limitReached: 2, limitTimeouts: 1 });
  turns.release(A);
  await waiting;
});

test('waiting has an end, and who left the line is not given a turn', async () => {
  const turns = turnsOf({ runningMax: 1, waitMaxMs: 5 });
  await turns.take(A);
  await expect(turns.take(A)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(turns.counts).toEqual({ running: 1, runningMax: 1, waiting: 0, limitReached: 1, limitTimeouts: 1 });
  turns.release(A);
  await turns.take(A);
});

test('a client that goes leaves the line at once, also when it had gone before', async () => {
  const turns = turnsOf({ runningMax: 1 });
  await turns.take(A);
  const controller = new AbortController();
  const waiting = turns.take(A, controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  await expect(turns.take(A, controller.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
  turns.release(A);
  await turns.take(A);
});

describe('tenants', () => {
  test('take turns, so that one with many queries delays another by one of them', async () => {
    const turns = turnsOf({ runningMax: 1, waitingMax: 20 });
    await turns.take(A);
    const order: Tenant[] = [];
    const ask = (tenant: Tenant): Promise<number> => turns.take(tenant).then(() => order.push(tenant));
    const all = [A, A, A, A, B, B].map(ask);
    for (let i = 0; i < all.length; i++) {
      turns.release(i === 0 ? A : order[i - 1]!);
      await expect.poll(() => order.length).toBe(i + 1);
    }
    expect(order).toEqual([A, B, A, B, A, A]);
  });

  test('with a bound of their own leave turns to the others, and go on when one of theirs ends', async () => {
    const turns = turnsOf({ runningMax: 3, runningMaxOf: (tenant) => (tenant === A ? 1 : Infinity) });
    await turns.take(A);
    let isRunning = false;
    const second = turns.take(A).then(() => (isRunning = true));
    await turns.take(B);
    await turns.take(B);
    turns.release(B);
    expect([isRunning, turns.counts.running, turns.counts.waiting]).toEqual([false, 2, 1]);
    turns.release(A);
    await second;
    expect([isRunning, turns.counts.running, turns.counts.waiting]).toEqual([true, 2, 0]);
  });

  test('fill three quarters of the queue at most', async () => {
    const turns = turnsOf({ runningMax: 1, waitingMax: 8 });
    await turns.take(A);
    const waiting = Array.from({ length: 6 }, () => turns.take(A));
    await expect(turns.take(A)).rejects.toMatchObject({ code: 'OVERLOADED' });
    waiting.push(turns.take(B));
    expect(turns.counts.waiting).toBe(7);
    const left = [A, B, A, A, A, A, A];
    for (const tenant of [A, ...left.slice(0, -1)]) turns.release(tenant);
    await Promise.all(waiting);
  });
});
