// Adds up the roll-ups of parts, for a merge. The counts of a part are a difference to the parts before it, so the sum
// of any of them is the count of their union (block/count-calls.ts). It works slice by slice with one frame of each
// run, so memory does not grow with the parts.
import { compareSeries, type FrameReader } from './rollup-frame.ts';
import type { RollupFrame, RollupReader } from './rollup-reader.ts';
import type { RollupWriter, Slice } from './rollup-writer.ts';

/** Writes the sums of all `inputs` to `output`, as one run. Throws CORRUPTION, DISK. */
export function mergeRollups(inputs: readonly RollupReader[], output: RollupWriter): void {
  output.beginRun();
  const slices = new Map<string, { slice: Slice; runs: Map<string, RunCursor> }>();
  inputs.forEach((input, number) => {
    for (const frame of input.frames) {
      const { tenant, table, hour } = frame;
      const name = `${tenant} ${table} ${hour}`;
      let found = slices.get(name);
      if (found === undefined) slices.set(name, (found = { slice: { tenant, table, hour }, runs: new Map() }));
      const run = `${number} ${frame.run}`;
      const cursor = found.runs.get(run);
      if (cursor === undefined) found.runs.set(run, new RunCursor(input, frame));
      else cursor.frames.push(frame);
    }
  });
  const ordered = [...slices.values()].sort((x, y) => compareSlices(x.slice, y.slice));
  for (const { slice, runs } of ordered) mergeSlice(slice, [...runs.values()], output);
}

function compareSlices(x: Slice, y: Slice): number {
  return (x.tenant < y.tenant ? -1 : x.tenant > y.tenant ? 1 : 0) || x.table - y.table || x.hour - y.hour;
}

function mergeSlice(slice: Slice, cursors: readonly RunCursor[], output: RollupWriter): void {
  let live = cursors.filter((cursor) => cursor.next());
  while (live.length > 0) {
    const least = live.reduce((x, y) => (compareSeries(y.at, x.at) < 0 ? y : x)).at;
    const { first, second, kind } = least;
    const key = { first, second, kind };
    let hasEnded = false;
    for (const cursor of live) {
      if (compareSeries(cursor.at, key) !== 0) continue;
      cursor.at.addRowsTo(output.hour);
      hasEnded = !cursor.next() || hasEnded;
    }
    output.addSeries(slice, key);
    if (hasEnded) live = live.filter((cursor) => !cursor.isEnded);
  }
}

/** Iterates over the series of one run in one slice. */
class RunCursor {
  readonly frames: RollupFrame[];
  readonly #input: RollupReader;
  #next = 0;
  #frame: FrameReader | undefined;

  constructor(input: RollupReader, first: RollupFrame) {
    this.#input = input;
    this.frames = [first];
  }

  /** The frame, positioned at the current series; valid only after next() returned true. */
  get at(): FrameReader {
    return this.#frame!;
  }

  get isEnded(): boolean {
    return this.#frame === undefined;
  }

  /** Advances to the next series; false after the last. */
  next(): boolean {
    while (this.#frame?.nextSeries() !== true) {
      const frame = this.frames[this.#next++];
      this.#frame = frame === undefined ? undefined : this.#input.open(frame);
      if (this.#frame === undefined) return false;
    }
    return true;
  }
}
