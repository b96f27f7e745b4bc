// The kernel's list of this process' threads.
import { expect, test } from 'vitest';
import { Worker } from 'node:worker_threads';
import { listThreads } from '../../src/disk/thread-list.ts';

test.skipIf(process.platform !== 'linux')(
  'a worker is listed by its name while it lives, busiest thread first',
  async () => {
    const worker = new Worker('setInterval(() => undefined, 1000)', { eval: true, name: 'seen (by) name' });
    await new Promise((resolve) => worker.once('online', resolve));
    await expect.poll(() => listThreads().map(({ name }) => name)).toContain('seen (by) name');
    const threads = listThreads();
    expect(threads.every(({ id, state, cpuSeconds }) => id > 0 && /^[A-Z]$/.test(state) && cpuSeconds >= 0)).toBe(true);
    expect(threads.map(({ cpuSeconds }) => cpuSeconds)).toEqual(
      threads.map(({ cpuSeconds }) => cpuSeconds).toSorted((a, b) => b - a),
    );
    await worker.terminate();
    await expect.poll(() => listThreads().map(({ name }) => name)).not.toContain('seen (by) name');
  },
);
