// The disk calls of the scripted run, in slices: a test takes one, so that each ends long before its time and the run shows
// how far it is.
import { countCalls } from '../storage/scripted-run.ts';

const SLICE_COUNT = 16;

export const SLICES: readonly number[] = Array.from({ length: SLICE_COUNT }, (_, i) => i + 1);
export const SLICE_MS_MAX = 1_800_000;

let counted: Promise<number> | undefined;

/** Every sixteenth call of the scripted run, from call `slice` on. */
export async function callsOf(slice: number): Promise<number[]> {
  const calls = await (counted ??= countCalls());
  return Array.from({ length: Math.ceil((calls - slice + 1) / SLICE_COUNT) }, (_, i) => slice + i * SLICE_COUNT);
}
