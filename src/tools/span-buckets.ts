// The digests of a day's spans as one node has them, for the comparison with another node: on disk, in buckets by trace id, so
// that comparing a day needs memory for one bucket of each node (docs/format/copy-protocol.md).
import { join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { Spill } from '../part/spill.ts';
import { traceKeyHigh } from '../part/trace-key.ts';
import { TRACE_ID_BYTES } from '../trace/ids.ts';
import { SPAN_DIGEST_BYTES } from '../trace/span-digests.ts';
import type { BodyReader } from './node-client.ts';

/** A day of 100 million spans has some 1.2 GB of digests: 10 MB a bucket. */
export const BUCKETS = 128;
/** Of one bucket in memory: 8 MiB together, and for a small day no file at all. */
const BUFFER_BYTES = 64 << 10;
const HEAD_BYTES = TRACE_ID_BYTES + 4;

/** Digests by trace id (as latin1 text), each once, ascending. */
export type TraceDigests = ReadonlyMap<string, BigUint64Array>;

export class SpanBuckets implements Disposable {
  readonly #spills: Spill[];
  spans = 0;

  /** Files go into the existing folder `path`, which must be this object's alone. */
  constructor(disk: Disk, path: string) {
    this.#spills = Array.from({ length: BUCKETS }, (_, i) => new Spill(disk, join(path, String(i)), BUFFER_BYTES));
  }

  /** Adds a record: trace id, number of spans, digests. */
  add(record: Uint8Array): void {
    this.#spills[traceKeyHigh(record) % BUCKETS]!.append(record);
    this.spans += (record.length - HEAD_BYTES) / SPAN_DIGEST_BYTES;
  }

  /** After this nothing may be added. Throws DISK. */
  read(bucket: number): TraceDigests {
    const spill = this.#spills[bucket]!;
    const bytes = Buffer.from(spill.read(0, spill.sizeBytes));
    const pieces = new Map<string, Buffer[]>();
    for (let at = 0; at < bytes.length;) {
      const id = bytes.toString('latin1', at, at + TRACE_ID_BYTES);
      const end = at + HEAD_BYTES + SPAN_DIGEST_BYTES * bytes.readUInt32LE(at + TRACE_ID_BYTES);
      const list = pieces.get(id);
      const digests = bytes.subarray(at + HEAD_BYTES, end);
      if (list === undefined) pieces.set(id, [digests]);
      else list.push(digests);
      at = end;
    }
    return new Map([...pieces].map(([id, list]) => [id, sortedOnce(list)]));
  }

  [Symbol.dispose](): void {
    for (const spill of this.#spills) spill.drop();
  }
}

function sortedOnce(pieces: readonly Buffer[]): BigUint64Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  const sorted = new BigUint64Array(bytes.buffer).sort();
  return sorted.filter((digest, i) => i === 0 || digest !== sorted[i - 1]);
}

/** Ids of the traces of which `other` lacks a span that `own` has. */
export function lackedBy(other: TraceDigests, own: TraceDigests): Buffer[] {
  const ids: Buffer[] = [];
  for (const [id, digests] of own) {
    const known = new Set(other.get(id));
    if (digests.some((digest) => !known.has(digest))) ids.push(Buffer.from(id, 'latin1'));
  }
  return ids;
}

/**
 * Reads an answer of /internal/partition/digests and passes every record to `add`. Returns the warnings of the node. Throws
 * UNAVAILABLE if the end is missing, CORRUPTION if there is something behind it.
 */
export async function readDigests(body: BodyReader, add: (record: Uint8Array) => void): Promise<readonly string[]> {
  for (;;) {
    const head = await body.read(HEAD_BYTES);
    if (head === undefined) throw new StoreError('UNAVAILABLE', 'the digests of a node broke off; run it again');
    const count = head.readUInt32LE(TRACE_ID_BYTES);
    const isEnd = head.subarray(0, TRACE_ID_BYTES).every((byte) => byte === 0);
    const rest = await body.read(isEnd ? count : count * SPAN_DIGEST_BYTES);
    if (rest === undefined) throw new StoreError('UNAVAILABLE', 'the digests of a node broke off; run it again');
    if (!isEnd) {
      add(Buffer.concat([head, rest]));
      continue;
    }
    if ((await body.read(1)) !== undefined)
      throw new StoreError('CORRUPTION', 'the digests of a node go on behind their end; is it the same version?');
    return (JSON.parse(rest.toString()) as { warnings: string[] }).warnings;
  }
}
