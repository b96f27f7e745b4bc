// The one form of a trace search; Jaeger v1, v3 and gRPC are three spellings of it.
// Every condition must hold on ONE span (contract/jaeger.md §7.1); the answer is the whole trace of such a span.

import { assert } from '../base/assert.ts';
import type { Filter } from './filter.ts';

/** A tag condition: key and string form of the value, as clients send it. The query applies contract/jaeger.md §4.3. */
export interface TagCondition {
  readonly key: string;
  readonly value: string;
  /** `value` is a pattern (trace/pattern.ts) that the string form matches somewhere. */
  readonly isPattern?: boolean;
  /** Met by spans that do not meet the rest of the condition, including those without the key. */
  readonly isNegated?: boolean;
}

export interface TraceQuery {
  /** Exact service name; undefined = any. */
  readonly service: string | undefined;
  /** Exact span name; undefined = any. */
  readonly operation: string | undefined;
  readonly tags: readonly TagCondition[];
  /** Span start, ns since the epoch, both ends inclusive. */
  readonly startMinNs: bigint;
  readonly startMaxNs: bigint;
  /** Span duration in ns, inclusive; undefined = unbounded. */
  readonly durationMinNs: bigint | undefined;
  readonly durationMaxNs: bigint | undefined;
  /** Replaces service, operation, tags and durations, which are then undefined or empty; times and limit stay. */
  readonly filter?: Filter;
  /** The filter as it came, a jaeger.expression.v1.Call in protobuf: for a reader that asks other nodes. */
  readonly filterMessage?: Uint8Array;
  /** Maximum number of traces, 1 … limits.searchTracesMax. */
  readonly limit: number;
  /**
   * Set if the client chose the end of the window: the first ns of that end's time unit. While the latest matching
   * spans of all traces of an answer start in this unit, the search adds older traces, up to `tracesMax`, until one
   * starts before the unit. Otherwise a client that pages by start times rounded to the unit could never get past it.
   */
  readonly lastUnit?: { readonly startNs: bigint; readonly tracesMax: number };
}

/**
 * How many of `hitCount` hits, newest first, the answer has; undefined: all of them, and more if there are more.
 * `startsBefore(i)`: hit i starts before the query's last unit.
 */
export function answerSize(
  { limit, lastUnit }: TraceQuery,
  hitCount: number,
  startsBefore: (i: number) => boolean,
): number | undefined {
  if (hitCount < limit) return undefined;
  if (lastUnit === undefined) return limit;
  const { tracesMax } = lastUnit;
  assert(limit <= tracesMax, 'a search asks for more traces than an answer may have');
  for (let i = limit - 1; i < hitCount; i++) if (startsBefore(i)) return Math.min(i + 1, tracesMax);
  return hitCount >= tracesMax ? tracesMax : undefined;
}
