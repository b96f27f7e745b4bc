import { expect, test } from 'vitest';
import { Deadline } from '../../src/query/deadline.ts';

test('before its time nothing happens', () => {
  new Deadline(60_000).check();
  new Deadline(60_000, new Int32Array(1)).check();
});

test('over its time it says how long that was and which flag bounds it', () => {
  expect(() => new Deadline(-1).check()).toThrow(
    expect.objectContaining({ code: 'TIMEOUT', message: expect.stringContaining('-search.maxQueryDuration') }),
  );
});

test('cancelled from another thread, it stops even before its time', () => {
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const deadline = new Deadline(60_000, cancelled);
  deadline.check();
  Atomics.store(cancelled, 0, 1);
  expect(() => deadline.check()).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
});
