// The scripted run of test/storage/scripted-run.ts, crashed after each of its disk calls, under every kind of power loss,
// and failed at each call with each errno. Minutes; a sample of it is part of the normal tests (storage/crash.test.ts).
import { beforeAll, describe, expect, test } from 'vitest';
import { countCalls, crashAt, failAt } from '../storage/scripted-run.ts';

/** Each test takes every sixteenth call, so that it ends long before its time. */
const SLICES = Array.from({ length: 16 }, (_, i) => i + 1);
const SLICE_MS_MAX = 1_800_000;

let calls = 0;
beforeAll(async () => {
  calls = await countCalls();
}, SLICE_MS_MAX);

function* callsOf(slice: number): Generator<number> {
  for (let call = slice; call <= calls; call += SLICES.length) yield call;
}

describe.each([0, 0.5, 1] as const)(
  'a store whose process dies, where unsynced data survives with probability %d',
  (keepUnsynced) => {
    const seeds = keepUnsynced === 0.5 ? [1, 2, 3] : [1];

    test.each(SLICES)(
      'opens again with everything acknowledged, once, after any disk call (slice %d of 16)',
      async (slice) => {
        for (const call of callsOf(slice)) {
          for (const before of [false, true]) {
            for (const seed of seeds) {
              const wrong = await crashAt({ call, before, survival: { keepUnsynced, seed } });
              expect(wrong, `call ${call} of ${calls}, before ${before}, seed ${seed}`).toEqual([]);
            }
          }
        }
      },
      SLICE_MS_MAX,
    );
  },
);

describe.each(['ENOSPC', 'EIO', 'EMFILE', 'EACCES'] as const)(
  'a store whose disk refuses one call with %s',
  (errno) => {
    test.each(SLICES)(
      'goes on, and opens again with everything acknowledged (slice %d of 16)',
      async (slice) => {
        for (const call of callsOf(slice)) expect(await failAt(call, errno), `call ${call} of ${calls}`).toEqual([]);
      },
      SLICE_MS_MAX,
    );
  },
);
