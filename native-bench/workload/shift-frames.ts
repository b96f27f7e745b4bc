// Captured requests moved to another time and given fresh identities, by patching their bytes in place: everything that is not
// a time, an id or (when asked) a UUID text stays as it was, bit for bit. So a small capture can be replayed as live traffic and
// replicated to any size. Limit: what else is unique in a capture (emails, offsets, durations) repeats in every replica.
import type { Frame } from './frames.ts';
import { IdPermutation } from './id-permutation.ts';
import type { WirePositions } from './wire-positions.ts';
import { findWirePositions } from './wire-positions.ts';

export interface ShiftOptions {
  /** Where the newest span end comes to lie, nanoseconds since 1970; all times move by the same amount. */
  readonly nowNs: bigint;
  /** Replace every trace and span id, parents and links included, consistently: equal ids stay equal, distinct ones distinct. */
  readonly freshIds: boolean;
  readonly seed: number;
  /** Replace UUIDs inside string attributes too, consistently; without it replicas share them, so real data compresses less well. */
  readonly freshUuids?: boolean;
}

export interface ReplicaOptions {
  /** Whole replicas are made until there are at least this many spans. */
  readonly spans: number;
  readonly nowNs: bigint;
  /** Replicas' newest spans spread evenly over this long before nowNs. */
  readonly seconds: number;
  readonly seed: number;
  readonly freshUuids: boolean;
}

/** Yields shifted copies; the frames given are not changed. */
export function* shiftFrames(frames: Iterable<Frame>, options: ShiftOptions): Generator<Frame> {
  yield* new FramePatcher(frames).shifted(options);
}

/** Yields replicas one after the other, oldest first, each with ids of its own. */
export function* replicateFrames(frames: Iterable<Frame>, options: ReplicaOptions): Generator<Frame> {
  const patcher = new FramePatcher(frames);
  if (patcher.spans === 0) throw new Error('nothing to replicate: the frames hold no spans');
  const rounds = Math.ceil(options.spans / patcher.spans);
  const spanNs = BigInt(options.seconds) * 1_000_000_000n;
  for (let round = 0; round < rounds; round++) {
    const behindNs = (spanNs * BigInt(rounds - 1 - round)) / BigInt(rounds);
    const { freshUuids, nowNs } = options;
    yield* patcher.shifted({ nowNs: nowNs - behindNs, freshIds: true, freshUuids, seed: options.seed + round });
  }
}

/** Frames with the positions to patch, found once. */
export class FramePatcher {
  readonly spans: number;
  readonly newestNs: bigint;
  readonly #frames: readonly { readonly frame: Frame; readonly at: WirePositions }[];

  constructor(frames: Iterable<Frame>) {
    this.#frames = Array.from(frames, (frame) => ({ frame, at: findWirePositions(frame.body) }));
    this.spans = this.#frames.reduce((sum, { frame }) => sum + frame.spans, 0);
    this.newestNs = this.#frames.reduce((newest, { at }) => (at.newestNs > newest ? at.newestNs : newest), 0n);
  }

  *shifted(options: ShiftOptions): Generator<Frame> {
    const deltaNs = options.nowNs - this.newestNs;
    const ids = new IdPermutation(options.seed);
    for (const { frame, at } of this.#frames) {
      const body = frame.body.slice();
      shiftTimes(body, at, deltaNs);
      if (options.freshIds) renewIds(body, at, ids);
      if (options.freshUuids === true) renewUuids(body, at, ids);
      yield { body, spans: frame.spans };
    }
  }
}

/** Moves every time of a request in place. */
export function shiftTimes(body: Uint8Array<ArrayBuffer>, at: WirePositions, deltaNs: bigint): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  for (const offset of at.times)
    view.setBigUint64(offset, BigInt.asUintN(64, view.getBigUint64(offset, true) + deltaNs), true);
}

/** Replaces every trace and span id of a request in place. */
export function renewIds(body: Uint8Array, at: WirePositions, ids: IdPermutation): void {
  for (const offset of at.traceIds) ids.traceId(body, offset);
  for (const offset of at.spanIds) ids.spanId(body, offset);
}

/** Replaces every UUID text of a request in place. */
export function renewUuids(body: Uint8Array, at: WirePositions, ids: IdPermutation): void {
  for (const offset of at.uuids) ids.uuid(body, offset);
}
