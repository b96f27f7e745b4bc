// Threads that die, hang or cannot start, on real ones: the job that it happens to fails alone, and the next one is done.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { ThreadPool, type PulsingJob, type ThreadPoolOptions } from '../../src/base/thread-pool.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

interface Job extends PulsingJob {
  readonly act: 'echo' | 'throw' | 'die' | 'hang' | 'wait' | 'count';
}

const pulseUrl = new URL('../../src/base/pulse.ts', import.meta.url).href;
const module = `import { Pulse } from ${JSON.stringify(pulseUrl)};
  export function work({ act, pulse }) {
    new Pulse(pulse).begin(7);
    if (act === 'wait') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    if (act === 'throw') throw new Error('thrown');
    if (act === 'die') process.exit(3);
    if (act === 'hang') for (;;);
    if (act === 'count') return ++globalThis.count;
    return act;
  }`;

/** Its threads run `before` when they start. */
function openPool(
  before = '',
  options: Partial<ThreadPoolOptions> = {},
): ThreadPool<Job, string | number> & AsyncDisposable {
  const folder = new TemporaryFolder();
  const path = join(folder.path, 'worker.mjs');
  writeFileSync(path, `${before}\n${module}`);
  const pool = new ThreadPool<Job, string | number>({
    workerUrl: pathToFileURL(path),
    name: 'work',
    threadsMin: 1,
    threadsMax: 1,
    queueMax: 10,
    looksMax: 2,
    ...options,
  });
  const close = async (): Promise<void> => {
    await pool.close();
    folder[Symbol.dispose]();
  };
  return Object.assign(pool, { [Symbol.asyncDispose]: close });
}

test('a job that throws, or whose thread dies, fails alone', async () => {
  await using pool = openPool();
  const jobs = [pool.run({ act: 'throw' }), pool.run({ act: 'die' }), pool.run({ act: 'echo' })];
  expect(await Promise.allSettled(jobs)).toMatchObject([
    { status: 'rejected', reason: { message: 'thrown' } },
    { status: 'rejected' },
    { status: 'fulfilled', value: 'echo' },
  ]);
});

test('a thread that hangs is ended and replaced: the jobs behind it are done', async () => {
  await using pool = openPool();
  const hanging = pool.run({ act: 'hang' });
  const behind = pool.run({ act: 'echo' });
  await expect(hanging).rejects.toThrow('work: the thread hung for 2 s and was ended');
  expect(await behind).toBe('echo');
});

test('a thread that waits for a device may be silent for longer', async () => {
  const asked: number[] = [];
  await using pool = openPool('', { looksMax: 1, isWaiting: (threadId) => asked.push(threadId) > 0 });
  expect(await pool.run({ act: 'wait' })).toBe('wait');
  expect(asked).toEqual(asked.map(() => 7));
  expect(asked.length).toBeGreaterThan(1);
});

test('a job that waits for its thread does not count as hanging', async () => {
  await using pool = openPool('await new Promise((resolve) => setTimeout(resolve, 3_000));', { threadsMin: 0 });
  expect(await pool.run({ act: 'echo' })).toBe('echo');
});

test('a thread that cannot start fails what waits for it with UNAVAILABLE, and the next job tries again', async () => {
  await using pool = openPool('throw new Error("no descriptors");', { threadsMin: 0 });
  for (let i = 0; i < 2; i++) {
    await expect(pool.run({ act: 'echo' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'work: no thread could be started (no descriptors); try again',
    });
  }
});

test('a job that is cancelled has ended with its thread; the next one is done', async () => {
  await using pool = openPool();
  const stop = new AbortController();
  const hanging = pool.run({ act: 'hang' }, { signal: stop.signal });
  const behind = pool.run({ act: 'echo' });
  stop.abort();
  await expect(hanging).rejects.toThrow();
  expect(await behind).toBe('echo');
});

test('threads that had nothing to do for long are exchanged for new ones, and jobs go on', async () => {
  await using pool = openPool('globalThis.count = 0;', { idleMs: 50 });
  expect([await pool.run({ act: 'count' }), await pool.run({ act: 'count' })]).toEqual([1, 2]);
  await expect.poll(async () => await pool.run({ act: 'count' }), { interval: 300, timeout: 20_000 }).toBe(1);
});
