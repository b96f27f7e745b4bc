// Where a scenario's request bodies come from: a profile, or captured frames replicated. Two forms: a stream that is made while it
// is sent (when speed is not the point), and a pool that lies ready in memory and never repeats a span.
import type { Frame } from '../workload/frames.ts';
import { readFrames } from '../workload/frames.ts';
import { IdPermutation } from '../workload/id-permutation.ts';
import { requests } from '../workload/requests.ts';
import { renewIds, renewUuids, replicateFrames, shiftTimes } from '../workload/shift-frames.ts';
import type { WirePositions } from '../workload/wire-positions.ts';
import { findWirePositions } from '../workload/wire-positions.ts';
import type { BenchOptions } from './options.ts';

type Source = Pick<BenchOptions, 'profile' | 'frames' | 'seed' | 'batch' | 'overSeconds'>;

/** Yields at least `spans` spans of traffic that ends about now. */
export function* trafficStream(source: Source, spans: number): Generator<Frame> {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const { seed, profile, batch, overSeconds } = source;
  if (source.frames !== undefined) {
    yield* replicateFrames(readFrames(source.frames), {
      spans,
      nowNs,
      seconds: overSeconds,
      seed,
      freshUuids: true,
    });
    return;
  }
  const startNs = nowNs - BigInt(overSeconds) * 1_000_000_000n;
  yield* requests({ profile, spans, batch, seed, startNs, seconds: overSeconds, instances: 3 });
}

interface Ready {
  readonly frame: Frame;
  /** Found when the body is reused for the first time. */
  at: WirePositions | undefined;
}

/** Bodies ready to send. When all were sent they go round again with fresh ids, UUIDs and times, patched in place. */
export class TrafficPool {
  readonly frames: readonly Frame[];
  readonly #ready: readonly Ready[];
  readonly #seed: number;
  readonly #madeMs: number = Date.now();
  #next = 0;
  #round = 0;
  #shiftedMs = 0;
  #deltaNs = 0n;
  #ids: IdPermutation | undefined;

  constructor(source: Source, spans: number) {
    this.frames = [...trafficStream(source, spans)];
    this.#ready = this.frames.map((frame) => ({ frame, at: undefined }));
    this.#seed = source.seed;
  }

  /** The next body; it is reused only after all others, so with fewer connections than bodies never while it is being sent. */
  next(): Frame {
    if (this.#next === this.#ready.length) this.#startRound();
    const ready = this.#ready[this.#next++];
    if (ready === undefined) throw new Error('the traffic pool is empty; give --spans');
    if (this.#ids !== undefined) this.#renew(ready, this.#ids);
    return ready.frame;
  }

  #startRound(): void {
    this.#next = 0;
    this.#round++;
    this.#ids = new IdPermutation(this.#seed * 1_000_003 + this.#round);
    const aheadMs = Date.now() - this.#madeMs;
    this.#deltaNs = BigInt(aheadMs - this.#shiftedMs) * 1_000_000n;
    this.#shiftedMs = aheadMs;
  }

  #renew(ready: Ready, ids: IdPermutation): void {
    const { body } = ready.frame;
    ready.at ??= findWirePositions(body);
    shiftTimes(body, ready.at, this.#deltaNs);
    renewIds(body, ready.at, ids);
    renewUuids(body, ready.at, ids);
  }
}
