// Profiles of the own thread and of a worker name the function that is busy.
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { ownThread, workerThread, type DiagnosedThread } from '../../src/base/diagnosed-thread.ts';

/** Keeps the thread busy and its heap growing, under a name that a profile shows: a generator is never inlined, a function that calls itself was. */
function* tellTaleFunction(): Generator<object[]> {
  const kept: object[] = [];
  for (let i = 0; i < 200_000; i++) kept.push({ text: String(i), more: [i] });
  yield kept;
}

async function profilesOf(thread: DiagnosedThread, work: () => void | Promise<void>): Promise<string[]> {
  const [cpu, heap] = [await thread.startCpuProfile(), await thread.startHeapProfile()];
  await work();
  return [await cpu.stop(), await heap.stop()];
}

test('of the own thread', async () => {
  let kept: object[] = [];
  const [cpu, heap] = await profilesOf(ownThread(), () => void (kept = [...tellTaleFunction()]));
  expect(kept.length).toBeGreaterThan(0);
  expect(cpu).toContain('tellTaleFunction');
  expect(heap).toContain('tellTaleFunction');
  expect(JSON.parse(cpu!)).toMatchObject({
    nodes: expect.any(Array) as unknown,
    samples: expect.any(Array) as unknown,
  });
  expect((await ownThread().heapStatistics()).used_heap_size).toBeGreaterThan(0);
});

test('of a worker', async () => {
  const loop = `${tellTaleFunction.toString()} let kept; setInterval(() => { kept = [...tellTaleFunction()]; require('node:worker_threads').parentPort.postMessage(1); }, 5);`;
  const worker = new Worker(loop, { eval: true });
  await new Promise((resolve) => worker.once('message', resolve));
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => worker.once('message', resolve));
  };
  const [cpu, heap] = await profilesOf(workerThread(worker), turns);
  expect(cpu).toContain('tellTaleFunction');
  expect(heap).toContain('tellTaleFunction');
  expect((await workerThread(worker).heapStatistics()).used_heap_size).toBeGreaterThan(0);
  await worker.terminate();
});
