// Which storage node takes a trace: rendezvous hashing. Every node has a score for the trace, made from its name and the trace
// id; the highest takes it, and if that node cannot, the next. So every insert chooses the same node without asking
// anyone, a node that comes or goes moves only its own share, and the order in which nodes are listed means nothing. Pure.
import { createHash } from 'node:crypto';
import { assert } from '../base/assert.ts';

const ID_BYTES = 16;

/** Nodes by name, each at most once. An index is a position in `names`. */
export class Placement {
  /** In byte order, which decides between equal scores. */
  readonly names: readonly string[];
  readonly #seeds: Uint32Array;
  readonly #scores: Float64Array;

  constructor(names: Iterable<string>) {
    this.names = [...new Set(names)].sort();
    this.#seeds = Uint32Array.from(this.names, (name) => createHash('sha256').update(name).digest().readUInt32LE(0));
    this.#scores = new Float64Array(this.names.length);
  }

  /** The index of the first node of the trace's ranking with isOpen[index] = 1; -1: there is none. */
  first(bytes: Uint8Array, idStart: number, isOpen: Uint8Array): number {
    assert(isOpen.length === this.#seeds.length, `${isOpen.length} flags for ${this.#seeds.length} nodes`);
    assert(idStart + ID_BYTES <= bytes.length, `a trace id at ${idStart} of ${bytes.length} bytes`);
    let best = -1;
    let bestScore = -1;
    for (let index = 0; index < this.#seeds.length; index++) {
      if (isOpen[index] !== 1) continue;
      const score = scoreOf(bytes, idStart, this.#seeds[index]!);
      if (score > bestScore) [best, bestScore] = [index, score];
    }
    return best;
  }

  /** All names in the ranking of the trace with this id (16 bytes). */
  ranking(traceId: Uint8Array): string[] {
    const scores = this.#scores;
    for (let index = 0; index < scores.length; index++) scores[index] = scoreOf(traceId, 0, this.#seeds[index]!);
    const order = this.names.map((_, index) => index).sort((x, y) => scores[y]! - scores[x]! || x - y);
    return order.map((index) => this.names[index]!);
  }
}

/** The partition of the log for the trace whose id begins at bytes[idStart]. Inserts must agree, so it never changes. */
export function partitionOfTrace(bytes: Uint8Array, idStart: number, partitions: number): number {
  return scoreOf(bytes, idStart, 0) % partitions;
}

/** 32 bits of murmur3 over the 16 bytes of the id, seeded. Inserts of different versions must agree, so it never changes. */
function scoreOf(bytes: Uint8Array, start: number, seed: number): number {
  let h = seed;
  for (let i = start; i < start + 16; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    word = Math.imul(word, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    h ^= word;
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  h ^= 16;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
