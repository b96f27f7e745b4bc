import { expect, test } from 'vitest';
import { Deadline } from '../../src/query/deadline.ts';

test('before its time nothing happens', () => {
  new Deadline(60_000).check();
  new Deadline(60_000, { cancelled: new Int32Array(1) }).check();
});

test('over its time it says how long that was and which flag bounds it', () => {
  expect(() => new Deadline(-1).check()).toThrow(
    expect.objectContaining({ code: 'TIMEOUT', message: expect.stringContaining('-search.maxQueryDuration') }),
  );
});

test('cancelled from another thread, it stops even before its time', () => {
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const deadline = new Deadline(60_000, { cancelled });
  deadline.check();
  Atomics.store(cancelled, 0, 1);
  expect(() => deadline.check()).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
});

test('over its bytes it says how many that were, which flag bounds them and what to do', () => {
  const work = { bytes: 0 };
  const deadline = new Deadline(60_000, { budget: { bytesMax: 100, work } });
  work.bytes = 100;
  deadline.check();
  work.bytes = 101;
  const message =
    /more than 100 stored bytes \(-search\.maxScannedBytes, or queryBytes in -tenants\.config\); narrow its time range/;
  expect(() => deadline.check()).toThrow(
    expect.objectContaining({ code: 'TIMEOUT', message: expect.stringMatching(message) }),
  );
});
