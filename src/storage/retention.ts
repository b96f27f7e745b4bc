// Decides what to drop: by age, by bytes, by percent of the file system. Pure. It says which span starts are accepted, which
// whole days are too old, and which days and parts must go so that the rest fits. dropper.ts carries this out.
import type { PartId } from '../part/identity.ts';
import { ANY_SPAN, type ScanBounds } from '../otlp/scan-request.ts';
import { DAY_MS } from '../partition/day.ts';

export interface Retention {
  /** Spans that started longer ago are rejected; days that are wholly older are dropped. */
  readonly retentionMs: number;
  /** Spans that start further in the future are rejected. */
  readonly futureRetentionMs: number;
}

export interface AcceptedAges extends Retention {
  /** -maxBackfillAge: spans that started longer ago are rejected, too. 0 or absent: retention alone decides. */
  readonly backfillMaxMs?: number;
}

/** A part as the space rules see it. */
export interface StoredPart {
  readonly id: PartId;
  /** Number of the newest log file in it: the lower, the earlier its spans arrived. 0 after a repair: unknown. */
  readonly logSeqMax: number;
  readonly sizeBytes: number;
  /** Bytes that leave the disk if it is dropped; excludes files that a snapshot also holds. */
  readonly freedBytes: number;
}

/** A day as the space rules see it. */
export interface StoredDay {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** Parts, log and index together. */
  readonly sizeBytes: number;
  /** As StoredPart.freedBytes. */
  readonly freedBytes: number;
  readonly parts: readonly StoredPart[];
}

export type Drop =
  | { readonly kind: 'day'; readonly day: number }
  | { readonly kind: 'parts'; readonly day: number; readonly ids: readonly PartId[] };

export interface SpaceRule {
  /** Upper bound of the bytes that stay. */
  readonly bytesMax: number;
  /** This day and later ones are never dropped whole: at most their oldest parts are. */
  readonly wholeFromDay: number;
  /** This day and later ones lose nothing; Infinity: no day is protected. */
  readonly keptFromDay: number;
}

/** Retention by space keeps this many newest days: users look at the newest data. As in VictoriaLogs. */
const NEWEST_DAYS_KEPT = 2;
/** Data that would free less than this share of its size stays: dropping it would lose spans and free little. */
const FREED_SHARE_MIN = 0.5;

/**
 * A day is dropped whole only if at least this share of the limit remains. Otherwise its oldest parts are dropped: a day
 * that alone fills the limit must not be lost because the next day began, or because of one span from the future.
 */
const KEPT_SHARE_MIN = 0.5;

/** The span starts accepted at `nowNs`, of a tenant whose spans are kept for `tenantMs` at most. */
export function acceptedStarts(nowNs: bigint, retention: AcceptedAges, tenantMs: number = Infinity): ScanBounds {
  const ageMaxMs = Math.min(retention.retentionMs, retention.backfillMaxMs || Infinity, tenantMs);
  const startMinNs = nowNs - BigInt(ageMaxMs) * 1_000_000n;
  return {
    startMinNs: startMinNs > 0n ? startMinNs : 0n,
    startMaxNs: nowNs + BigInt(retention.futureRetentionMs) * 1_000_000n,
  };
}

/**
 * The bounds of spans that were acknowledged before they came here: retention alone, because older ones would be dropped at once. How
 * late they come, where the clock of this node is, and what it takes from senders says nothing about them.
 */
export function acknowledgedSpans(nowNs: bigint, { retentionMs }: Retention): ScanBounds {
  const { startMinNs } = acceptedStarts(nowNs, { retentionMs, futureRetentionMs: 0 });
  return { ...ANY_SPAN, startMinNs };
}

/**
 * As acceptedStarts, for spans that a twin has: all of the days that are kept, since a day goes as a whole; when they came is no
 * matter.
 */
export function keptStarts(nowNs: bigint, retention: Retention, tenantMs?: number): ScanBounds {
  const { startMinNs, startMaxNs } = acceptedStarts(nowNs, { ...retention, backfillMaxMs: 0 }, tenantMs);
  return { startMinNs: startMinNs - (startMinNs % (BigInt(DAY_MS) * 1_000_000n)), startMaxNs };
}

/** The days among `days` whose last moment is older than the retention at `nowMs`. */
export function daysToDrop(days: readonly number[], nowMs: number, retention: Retention): number[] {
  return days.filter((day) => (day + 1) * DAY_MS <= nowMs - retention.retentionMs);
}

/** The days among `days` that lie wholly beyond -futureRetention at `nowMs`. They are kept: the clock may be wrong. */
export function daysInFuture(days: readonly number[], nowMs: number, retention: Retention): number[] {
  return days.filter((day) => day * DAY_MS > nowMs + retention.futureRetentionMs);
}

/**
 * The first of the newest two of `days`. Days after `today` do not count: spans with a wrong time must not displace
 * correct ones.
 */
export function newestDays(days: readonly number[], today: number): number {
  const past = days.filter((day) => day <= today).sort((a, b) => b - a);
  return past[NEWEST_DAYS_KEPT - 1] ?? past.at(-1) ?? today;
}

/** The drops, oldest first, after which at most `rule.bytesMax` remain; [] if the data already fits. */
export function planSpaceDrops(days: readonly StoredDay[], rule: SpaceRule): Drop[] {
  const drops: Drop[] = [];
  let sizeBytes = days.reduce((sum, day) => sum + day.sizeBytes, 0);
  let isOlderKept = false;
  for (const one of [...days].sort((a, b) => a.day - b.day)) {
    if (sizeBytes <= rule.bytesMax || one.day >= rule.keptFromDay) break;
    const mayGoWhole = one.day < rule.wholeFromDay && sizeBytes - one.sizeBytes >= rule.bytesMax * KEPT_SHARE_MIN;
    if (mayGoWhole && isWorthDropping(one.parts)) {
      drops.push({ kind: 'day', day: one.day });
      sizeBytes -= one.freedBytes;
      continue;
    }
    // The newest spans must not go in the place of older ones that a snapshot keeps.
    if (isOlderKept && one.day >= rule.wholeFromDay) break;
    const picked = oldestParts(one.parts, sizeBytes - rule.bytesMax);
    if (picked.length > 0) drops.push({ kind: 'parts', day: one.day, ids: picked.map(({ id }) => id) });
    for (const part of picked) sizeBytes -= part.freedBytes;
    isOlderKept ||= sizeBytes > rule.bytesMax && picked.length < one.parts.length;
  }
  return drops;
}

/** Judged by the parts, whose spans would be lost: a day's index always frees something. */
function isWorthDropping(parts: readonly StoredPart[]): boolean {
  const sum = (key: 'sizeBytes' | 'freedBytes'): number => parts.reduce((total, part) => total + part[key], 0);
  return sum('freedBytes') >= sum('sizeBytes') * FREED_SHARE_MIN;
}

/**
 * The fewest of `parts` that free `bytes`, in the order in which their spans arrived, up to the first one that a snapshot
 * keeps. Not in the order of span starts: one span from a clock that is ahead must not make the spans beside it the newest.
 */
function oldestParts(parts: readonly StoredPart[], bytes: number): StoredPart[] {
  const oldestFirst = [...parts].sort((a, b) => a.logSeqMax - b.logSeqMax || (a.id < b.id ? -1 : 1));
  let freed = 0;
  let count = 0;
  for (const part of oldestFirst) {
    if (freed >= bytes || !isWorthDropping([part])) break;
    freed += part.freedBytes;
    count++;
  }
  return oldestFirst.slice(0, count);
}

/**
 * The bytes out of `sizeBytes` that may stay so that the file system is at most `percent` full. `usage` covers the whole
 * file system, including other programs' files: their size is subtracted, because they cannot be dropped.
 */
export function bytesWithinPercent(
  sizeBytes: number,
  percent: number,
  usage: { readonly freeBytes: number; readonly totalBytes: number },
): number {
  const usedBytes = usage.totalBytes - usage.freeBytes;
  const excess = usedBytes - (usage.totalBytes * percent) / 100;
  return Math.max(0, excess > 0 ? sizeBytes - excess : sizeBytes);
}
