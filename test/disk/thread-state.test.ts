// What the system knows of a thread: its own id differs from thread to thread, and who computes does not wait for a disk.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { ownThreadId, waitsForDisk } from '../../src/disk/thread-state.ts';

const source = new URL('../../src/disk/thread-state.ts', import.meta.url).href;

test.runIf(process.platform === 'linux')('each thread has an id of its own', async () => {
  expect(ownThreadId()).toBe(process.pid);
  const code = `import { ownThreadId } from ${JSON.stringify(source)};
    import { parentPort } from 'node:worker_threads';
    parentPort.postMessage(ownThreadId());`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const [id] = (await once(worker, 'message')) as [number];
  expect(id).toBeGreaterThan(0);
  expect(id).not.toBe(process.pid);
});

test('who runs, has ended, or is not known does not wait for a disk', () => {
  expect([ownThreadId(), 2 ** 30, 0].map((id) => waitsForDisk(id))).toEqual([false, false, false]);
});
