// What is told before a job is sent is there when the job runs, and a thread that does nothing hears of it too.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { newIdentity } from '../../src/part/identity.ts';
import { openForgetChannel } from '../../src/partition/forget-channel.ts';

const listener = `
  import { parentPort } from 'node:worker_threads';
  import { ForgetListener } from '${new URL('../../src/partition/forget-channel.ts', import.meta.url).href}';
  const forgotten = new ForgetListener((identities) => parentPort.postMessage({ idle: identities }));
  parentPort.on('message', (job) => {
    if (job !== 'end') return parentPort.postMessage({ job, taken: forgotten.take() });
    forgotten[Symbol.dispose]();
    parentPort.close();
  });
  parentPort.postMessage('ready');`;

test('a thread hears of what is gone before its next job, or when it has none', async () => {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(listener)}`));
  try {
    await once(worker, 'message');
    const forget = openForgetChannel();
    const [first, second, third] = [newIdentity(), newIdentity(), newIdentity()];
    const heard: unknown[] = [];
    for (const [number, gone] of [[first], [second, third], []].entries()) {
      forget(gone);
      worker.postMessage(number);
      // Handed over when the thread was idle, or taken by the job; never later than the job.
      for (let isDone = false; !isDone;) {
        const [message] = (await once(worker, 'message')) as [{ idle?: unknown[]; job?: number; taken?: unknown[] }];
        heard.push(...(message.idle ?? message.taken!));
        isDone = message.job === number;
      }
      expect(heard).toEqual([first, second, third].slice(0, number === 0 ? 1 : 3));
    }
    const idle = once(worker, 'message');
    forget([first]);
    expect(await idle).toEqual([{ idle: [first] }]);
  } finally {
    worker.postMessage('end');
    await once(worker, 'exit');
  }
});
