// A sample of test/crash/disk-crash.test.ts, so that the normal tests see a broken order of commits at once.
import { describe, expect, test } from 'vitest';
import { countCalls, crashAt, failAt } from './scripted-run.ts';

describe('a store', () => {
  test('that dies after every 13th disk call opens again with everything acknowledged, once', async () => {
    const calls = await countCalls();
    for (let call = 1; call <= calls; call += 13) {
      const survival = { keepUnsynced: 0.5 as const, seed: call };
      expect(await crashAt({ call, before: call % 2 === 0, survival }), `call ${call} of ${calls}`).toEqual([]);
    }
  }, 60_000);

  test('whose disk refuses every 29th call goes on and loses nothing', async () => {
    const calls = await countCalls();
    for (let call = 1; call <= calls; call += 29) expect(await failAt(call, 'ENOSPC'), `call ${call} of ${calls}`).toEqual([]);
  }, 60_000);
});
