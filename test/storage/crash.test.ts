// A sample of test/crash/disk-crash.test.ts, another one in each run, so that the normal tests see a broken order of
// commits soon. A failure here names the call and the seed.
import { describe, expect, test } from 'vitest';
import { printedSeed } from '../support/random-request.ts';
import { callNames, countCalls, crashAt, failAt } from './scripted-run.ts';

const seed = printedSeed('crash');

describe('a store', () => {
  test('that dies after one of eight disk calls opens again with everything acknowledged, once', async () => {
    const calls = await countCalls();
    const step = Math.ceil(calls / 8);
    for (let call = 1 + (seed % step); call <= calls; call += step) {
      const crash = { call, before: seed % 2 === 0, survival: { keepUnsynced: 0.5, seed } } as const;
      expect(await crashAt(crash), `call ${call} of ${calls}, seed ${seed}`).toEqual([]);
    }
  }, 60_000);

  test('whose disk refuses to make the name of a new index durable loses neither the index nor a span', async () => {
    const names = await callNames();
    const made = names.flatMap((name, i) => (/^rename .*\/index\.tmp$/.test(name) ? [i + 2] : []));
    expect(made.map((call) => names[call - 1]).every((name) => name?.startsWith('syncDir'))).toBe(true);
    for (const call of made) expect(await failAt(call, 'EIO'), `call ${call}`).toEqual([]);
  }, 60_000);

  test('whose disk refuses one of four calls goes on and loses nothing', async () => {
    const calls = await countCalls();
    const step = Math.ceil(calls / 4);
    for (let call = 1 + (seed % step); call <= calls; call += step) {
      expect(await failAt(call, seed % 2 === 0 ? 'ENOSPC' : 'EIO'), `call ${call} of ${calls}, seed ${seed}`).toEqual(
        [],
      );
    }
  }, 60_000);
});
