// The one form of a trace search; Jaeger v1, v3 and gRPC are three spellings of it.
// Every condition must hold on ONE span (contract/jaeger.md §7.1); the answer is the whole trace of such a span.

import type { Filter } from './filter.ts';

/** A tag condition: key and the value's string form, as clients send it. Rewrites of contract/jaeger.md §4.3 are the query's job. */
export interface TagCondition {
  readonly key: string;
  readonly value: string;
  /** `value` is a pattern (trace/pattern.ts) that the string form matches somewhere. */
  readonly isPattern?: boolean;
  /** Met by the spans that do not meet the rest, those without the key among them. */
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
  /** Instead of service, operation, tags and durations, which are then undefined or empty; times and limit stay. */
  readonly filter?: Filter;
  /** Traces wanted, 1 … limits.searchTracesMax. */
  readonly limit: number;
  /**
   * Where the client chose the end of the window: the first ns of the unit it gave it in. While all traces of an answer
   * (their latest matching spans) start in it, the next ones follow, `tracesMax` at most, until one starts before it. A
   * client that pages by the starts it is shown, which are no finer than the unit, would never get past it otherwise.
   */
  readonly lastUnit?: { readonly startNs: bigint; readonly tracesMax: number };
}
