// What goes: by age, by bytes, by percent of the file system. Pure: which span starts may be written, which whole days
// are too old, and which days and parts must go so that the rest fits. dropper.ts does what is decided here.
import type { PartId } from '../part/identity.ts';
import type { ScanBounds } from '../otlp/scan-request.ts';
import { DAY_MS } from '../partition/day.ts';

export interface Retention {
  /** Spans that started longer ago are rejected; days that are wholly older are dropped. */
  readonly retentionMs: number;
  /** Spans that start further in the future are rejected. */
  readonly futureRetentionMs: number;
}

/** A part as the space rules see it. */
export interface StoredPart {
  readonly id: PartId;
  /** Its newest span start, ns since the epoch. */
  readonly startMaxNs: bigint;
  readonly sizeBytes: number;
  /** What of it leaves the disk when it is dropped: not what a snapshot keeps there. */
  readonly freedBytes: number;
}

/** A day as the space rules see it. */
export interface StoredDay {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** Parts, log and index together. */
  readonly sizeBytes: number;
  /** As of a part. */
  readonly freedBytes: number;
  readonly parts: readonly StoredPart[];
}

export type Drop =
  | { readonly kind: 'day'; readonly day: number }
  | { readonly kind: 'parts'; readonly day: number; readonly ids: readonly PartId[] };

export interface SpaceRule {
  /** What may stay. */
  readonly bytesMax: number;
  /** This day and later ones do not go whole, whatever it costs: at most their oldest parts do. */
  readonly wholeFromDay: number;
  /** Of this day and later ones nothing goes; Infinity: of no day. */
  readonly keptFromDay: number;
}

/** The newest days that retention by space leaves: what came last is what is looked at. As in VictoriaLogs. */
const NEWEST_DAYS_KEPT = 2;
/** What frees less than this share of itself stays: dropping it would lose spans and make no room. */
const FREED_SHARE_MIN = 0.5;

/**
 * A day goes whole only when at least this share of the limit stays. Otherwise its oldest parts go: a limit that one
 * day fills must not take that day as a whole because the next one has begun, or because one span came from the future.
 */
const KEPT_SHARE_MIN = 0.5;

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

/** Those of `days` that have nothing which -futureRetention accepts at `nowMs`. They are kept: a clock may be wrong. */
export function daysInFuture(days: readonly number[], nowMs: number, retention: Retention): number[] {
  return days.filter((day) => day * DAY_MS > nowMs + retention.futureRetentionMs);
}

/**
 * The first of the newest two of `days`; days after `today` are newer than they say and do not count, so that spans with
 * a wrong time cannot take the place of true ones.
 */
export function newestDays(days: readonly number[], today: number): number {
  const past = days.filter((day) => day <= today).sort((a, b) => b - a);
  return past[NEWEST_DAYS_KEPT - 1] ?? past.at(-1) ?? today;
}

/** What has to go, oldest first, so that no more than `rule.bytesMax` stays; [] when it fits already. */
export function planSpaceDrops(days: readonly StoredDay[], rule: SpaceRule): Drop[] {
  const drops: Drop[] = [];
  let sizeBytes = days.reduce((sum, day) => sum + day.sizeBytes, 0);
  for (const one of [...days].sort((a, b) => a.day - b.day)) {
    if (sizeBytes <= rule.bytesMax || one.day >= rule.keptFromDay) break;
    const mayGoWhole = one.day < rule.wholeFromDay && sizeBytes - one.sizeBytes >= rule.bytesMax * KEPT_SHARE_MIN;
    if (mayGoWhole && isWorthDropping(one.parts)) {
      drops.push({ kind: 'day', day: one.day });
      sizeBytes -= one.freedBytes;
      continue;
    }
    const picked = oldestParts(
      one.parts.filter((part) => isWorthDropping([part])),
      sizeBytes - rule.bytesMax,
    );
    if (picked.length > 0) drops.push({ kind: 'parts', day: one.day, ids: picked.map(({ id }) => id) });
    for (const part of picked) sizeBytes -= part.freedBytes;
  }
  return drops;
}

/** By the spans that would be lost: the index of a day frees something in any case. */
function isWorthDropping(parts: readonly StoredPart[]): boolean {
  const sum = (key: 'sizeBytes' | 'freedBytes'): number => parts.reduce((total, part) => total + part[key], 0);
  return sum('freedBytes') >= sum('sizeBytes') * FREED_SHARE_MIN;
}

/** As few of `parts` as free `bytes`, by their newest span; all of them when that is not enough. */
function oldestParts(parts: readonly StoredPart[], bytes: number): StoredPart[] {
  const oldestFirst = [...parts].sort((a, b) => compareStarts(a.startMaxNs, b.startMaxNs) || (a.id < b.id ? -1 : 1));
  let freed = 0;
  return oldestFirst.filter((part) => {
    if (freed >= bytes) return false;
    freed += part.freedBytes;
    return true;
  });
}

function compareStarts(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * What may stay of `sizeBytes` so that the file system is at most `percent` full. `usage` is that of the whole file
 * system, other programs' files included: they make room for nothing, so what they take is missing here.
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
