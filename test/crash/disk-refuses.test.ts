// The scripted run of test/storage/scripted-run.ts, where the disk refuses one call, each in turn, with each errno. Minutes.
import { describe, expect, test } from 'vitest';
import { SLICES, SLICE_MS_MAX, callsOf } from '../support/call-slices.ts';
import { failAt } from '../storage/scripted-run.ts';

describe.each(['ENOSPC', 'EIO', 'EMFILE', 'EACCES'] as const)(
  'a store whose disk refuses one call with %s',
  (errno) => {
    test.each(SLICES)(
      'goes on, and opens again with everything acknowledged (slice %d of 16)',
      async (slice) => {
        for (const call of await callsOf(slice)) expect(await failAt(call, errno), `call ${call}`).toEqual([]);
      },
      SLICE_MS_MAX,
    );
  },
);
