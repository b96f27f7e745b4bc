// The counters of calls: numbered names, and totals per minute. A call is a span; its series is (service, operation,
// kind); its edge is (service of its parent, its own service) if the two differ.
import { assert } from '../base/assert.ts';
import { LATENCY_BUCKETS } from '../trace/latency-buckets.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { CountTable } from '../bytes/count-table.ts';
import { SequenceTable } from '../bytes/sequence-table.ts';

/** Numbers services, operations, series and edges. It must live as long as the counters that use the numbers. */
export class CallNames {
  readonly services = new ByteTable();
  readonly operations = new ByteTable();
  /** [service, operation, kind] */
  readonly series = new SequenceTable();
  /** [caller, callee], both services. */
  readonly edges = new SequenceTable();
  readonly #scratch = new Int32Array(3);

  seriesOf(service: number, operation: number, kind: number): number {
    this.#scratch[0] = service;
    this.#scratch[1] = operation;
    this.#scratch[2] = kind;
    return this.series.intern(this.#scratch, 3);
  }

  edgeOf(caller: number, callee: number): number {
    this.#scratch[0] = caller;
    this.#scratch[1] = callee;
    return this.edges.intern(this.#scratch, 2);
  }

  serviceOf(series: number): number {
    return this.series.ints[this.series.start(series)]!;
  }

  operationOf(series: number): number {
    return this.series.ints[this.series.start(series) + 1]!;
  }

  kindOf(series: number): number {
    return this.series.ints[this.series.start(series) + 2]!;
  }

  callerOf(edge: number): number {
    return this.edges.ints[this.edges.start(edge)]!;
  }

  calleeOf(edge: number): number {
    return this.edges.ints[this.edges.start(edge) + 1]!;
  }

  /** Bytes of names held. */
  get sizeBytes(): number {
    return this.services.sizeBytes + this.operations.sizeBytes;
  }
}

/** Keys are number · 2^26 + minute: minutes since the epoch reach 2^26 in the year 2097. */
const MINUTES = 2 ** 26;
/** Bucket keys are slot · 2^9 + bucket. */
const BUCKETS = 512;
assert(LATENCY_BUCKETS <= BUCKETS, 'latency buckets that share a key');

export class CallCounts {
  /** By series and minute. */
  readonly nodes = new CountTable();
  /** By edge and minute. */
  readonly edges = new CountTable();
  /** By slot of `nodes` and latency bucket; errors unused. */
  readonly buckets = new CountTable();

  /** Adds to a series in a minute since the epoch; returns the slot for addBucket. */
  addCalls(series: number, minute: number, calls: number, errors: number): number {
    return this.nodes.add(series * MINUTES + minute, calls, errors);
  }

  addBucket(slot: number, bucket: number, calls: number): void {
    this.buckets.add(slot * BUCKETS + bucket, calls, 0);
  }

  addEdge(edge: number, minute: number, calls: number, errors: number): void {
    this.edges.add(edge * MINUTES + minute, calls, errors);
  }

  clear(): void {
    this.nodes.clear();
    this.edges.clear();
    this.buckets.clear();
  }
}

/** Series or edge of a key of `nodes` or `edges`. */
export function numberOfKey(key: number): number {
  return Math.floor(key / MINUTES);
}

/** Minute since the epoch of a key of `nodes` or `edges`. */
export function minuteOfKey(key: number): number {
  return key % MINUTES;
}

/** Slot of `nodes` of a key of `buckets`. */
export function slotOfKey(key: number): number {
  return Math.floor(key / BUCKETS);
}

/** Latency bucket of a key of `buckets`. */
export function bucketOfKey(key: number): number {
  return key % BUCKETS;
}
