// The scripted run of test/storage/scripted-run.ts, crashed after each of its disk calls, under every kind of power loss.
// Minutes; a sample of it is part of the normal tests (storage/crash.test.ts).
import { describe, expect, test } from 'vitest';
import { SLICES, SLICE_MS_MAX, callsOf } from '../support/call-slices.ts';
import { crashAt } from '../storage/scripted-run.ts';

describe.each([0, 0.5, 1] as const)(
  'a store whose process dies, where unsynced data survives with probability %d',
  (keepUnsynced) => {
    const seeds = keepUnsynced === 0.5 ? [1, 2, 3] : [1];

    test.each(SLICES)(
      'opens again with everything acknowledged, once, after any disk call (slice %d of 16)',
      async (slice) => {
        for (const call of await callsOf(slice)) {
          for (const before of [false, true]) {
            for (const seed of seeds) {
              const wrong = await crashAt({ call, before, survival: { keepUnsynced, seed } });
              expect(wrong, `call ${call}, before ${before}, seed ${seed}`).toEqual([]);
            }
          }
        }
      },
      SLICE_MS_MAX,
    );
  },
);
