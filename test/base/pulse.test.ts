// The heartbeat between threads: what counts as silence, over real threads too, and over random schedules of beats and looks.
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pulse, PulseWatch } from '../../src/base/pulse.ts';

const looks = (watch: PulseWatch, count: number): boolean[] => Array.from({ length: count }, () => watch.look());

test('a thread is silent after so many looks without a beat, and no longer after one', () => {
  const pulse = new Pulse();
  const watch = new PulseWatch(pulse.shared, { looksMax: 3, waitingLooksMax: 5 });
  expect(looks(watch, 10).includes(true), 'it has not begun').toBe(false);
  pulse.beat();
  expect(looks(watch, 5)).toEqual([false, false, false, true, true]);
  pulse.beat();
  expect([watch.look(), watch.silentLooks]).toEqual([false, 0]);
});

test('silence is told exactly when the looks since the last beat say so, those that find it waiting apart', () => {
  const steps = fc.array(fc.constantFrom('beat', 'look', 'wait'), { maxLength: 60 });
  const patience = fc.record({
    looksMax: fc.integer({ min: 1, max: 4 }),
    waitingLooksMax: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(steps, patience, (schedule, { looksMax, waitingLooksMax }) => {
      const pulse = new Pulse();
      let isWaiting = false;
      const watch = new PulseWatch(pulse.shared, { looksMax, waitingLooksMax }, () => isWaiting);
      let [quiet, waiting, hasBegun, hasBeaten] = [0, 0, false, false];
      for (const step of schedule) {
        if (step === 'beat') {
          pulse.beat();
          [hasBegun, hasBeaten] = [true, true];
          continue;
        }
        isWaiting = step === 'wait';
        if (!hasBegun || hasBeaten) [quiet, waiting] = [0, 0];
        else if (isWaiting) waiting++;
        else quiet++;
        hasBeaten = false;
        expect(watch.look()).toBe(quiet >= looksMax || waiting >= waitingLooksMax);
        expect(watch.silentLooks).toBe(quiet + waiting);
      }
    }),
  );
});

describe('over threads', () => {
  test('one that loops is silent, and one that waits for nothing beats', async () => {
    const url = new URL('../../src/base/pulse.ts', import.meta.url).href;
    const shared = new Pulse().shared;
    const code = `import { Pulse } from ${JSON.stringify(url)};
      import { parentPort, workerData } from 'node:worker_threads';
      new Pulse(workerData).start(0);
      parentPort.on('message', () => { parentPort.postMessage('looping'); for (;;); });`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: shared });
    const watch = new PulseWatch(shared, { looksMax: 1, waitingLooksMax: 1 });
    // It beats by itself: twice a look sees it.
    for (let i = 0; i < 2; i++) {
      const before = Atomics.load(shared, 0);
      await expect.poll(() => Atomics.load(shared, 0), { timeout: 10_000 }).toBeGreaterThan(before);
      expect(watch.look()).toBe(false);
    }
    const looping = once(worker, 'message');
    worker.postMessage('loop');
    await looping;
    watch.look();
    await expect.poll(() => watch.look()).toBe(true);
    await worker.terminate();
  });
});
