// The age rule. Pure: what may be written, and which whole days go.
import type { ScanBounds } from '../otlp/scan-request.ts';
import { DAY_MS } from '../partition/day.ts';

export interface Retention {
  /** Spans that started longer ago are rejected; days that are wholly older are dropped. */
  readonly retentionMs: number;
  /** Spans that start further in the future are rejected. */
  readonly futureRetentionMs: number;
}

/** Span starts accepted at `nowNs`. */
export function acceptedStarts(nowNs: bigint, retention: Retention): ScanBounds {
  const startMinNs = nowNs - BigInt(retention.retentionMs) * 1_000_000n;
  return {
    startMinNs: startMinNs > 0n ? startMinNs : 0n,
    startMaxNs: nowNs + BigInt(retention.futureRetentionMs) * 1_000_000n,
  };
}

/** Those of `days` whose last moment is older than the retention at `nowMs`. */
export function daysToDrop(days: readonly number[], nowMs: number, retention: Retention): number[] {
  return days.filter((day) => (day + 1) * DAY_MS <= nowMs - retention.retentionMs);
}
