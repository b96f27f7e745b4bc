// The scripted run of test/storage/scripted-run.ts, crashed after each of its disk calls, under every kind of power loss,
// and failed at each call with each errno. Minutes; a sample of it is part of the normal tests (storage/crash.test.ts).
import { describe, expect, test } from 'vitest';
import { countCalls, crashAt, failAt } from '../storage/scripted-run.ts';

describe('a store whose process dies after any disk call', () => {
  test.each([0, 0.5, 1] as const)(
    'opens again with everything acknowledged, once, when unsynced data survives with probability %d',
    async (keepUnsynced) => {
      const calls = await countCalls();
      for (let call = 1; call <= calls; call++) {
        for (const before of [false, true]) {
          for (let seed = 1; seed <= (keepUnsynced === 0.5 ? 3 : 1); seed++) {
            expect(
              await crashAt({ call, before, survival: { keepUnsynced, seed } }),
              `call ${call} of ${calls}, before ${before}, seed ${seed}`,
            ).toEqual([]);
          }
        }
      }
    },
  );
});

describe('a store whose disk refuses any one call', () => {
  test.each(['ENOSPC', 'EIO', 'EMFILE', 'EACCES'] as const)(
    'answers %s as an error of the disk, goes on, and opens again with everything acknowledged',
    async (errno) => {
      const calls = await countCalls();
      for (let call = 1; call <= calls; call++)
        expect(await failAt(call, errno), `call ${call} of ${calls}`).toEqual([]);
    },
  );
});
