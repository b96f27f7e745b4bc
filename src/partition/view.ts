// What a query reads: the files at one moment, pinned until released. Plain data, so that it can cross threads. Files that
// cannot match are left out, using data in memory: tenant, time and trace keys. Pure, except that the partition sets pins.
import { DAY_NS } from '../trace/day-clock.ts';
import type { Identity } from '../part/identity.ts';
import { hasTraceKey, traceKeyHigh } from '../part/trace-key.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { LogFile } from './log-file.ts';
import type { LivePart } from './part-set.ts';

export interface ViewFilter {
  /** Span start, ns since the epoch, inclusive; ignored if traceIds is given: the whole trace is wanted. */
  readonly startMinNs?: bigint;
  readonly startMaxNs?: bigint;
  /** 16 bytes each. */
  readonly traceIds?: readonly Uint8Array[];
}

export interface ViewPart {
  /** Key for caches: no other file ever has it. */
  readonly identity: Identity;
  readonly path: string;
  /** Blocks of all tenants. */
  readonly blocks: number;
  readonly rowCount: number;
  readonly startMinNs: bigint;
  readonly startMaxNs: bigint;
}

export interface ViewLogBlock {
  /** The identity of its file. */
  readonly identity: Identity;
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Span starts, ns since the day's 00:00 UTC. */
  readonly startMin: number;
  readonly startMax: number;
}

export interface PartitionView {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly path: string;
  readonly parts: readonly ViewPart[];
  readonly logBlocks: readonly ViewLogBlock[];
  /** Losses that may concern the answer, one line each. */
  readonly losses?: readonly string[];
  /** Hours with spans that another node may have, too, as index/strays.ts says. */
  readonly strayHours?: number;
}

/** A filter in the terms of one day. */
export interface DayFilter {
  readonly tenant: Tenant;
  /** ns since the day's midnight, inclusive; ±Infinity when open. */
  readonly startMin: number;
  readonly startMax: number;
  /** Upper words of the trace keys; undefined: any trace. */
  readonly traceKeys: readonly number[] | undefined;
}

/** `filter` in terms of `day`; undefined if the day is outside it. */
export function dayFilter(tenant: Tenant, day: number, filter: ViewFilter): DayFilter | undefined {
  if (filter.traceIds !== undefined) {
    return {
      tenant,
      startMin: -Infinity,
      startMax: Infinity,
      traceKeys: filter.traceIds.map((id) => traceKeyHigh(id)),
    };
  }
  const dayNs = BigInt(day) * BigInt(DAY_NS);
  const startMin = filter.startMinNs === undefined ? -Infinity : Number(filter.startMinNs - dayNs);
  const startMax = filter.startMaxNs === undefined ? Infinity : Number(filter.startMaxNs - dayNs);
  if (startMin >= DAY_NS || startMax < 0) return undefined;
  return { tenant, startMin, startMax, traceKeys: undefined };
}

/** What of `partitions` a view with `filter`, which has no trace ids, would have. */
export function narrowView(partitions: readonly PartitionView[], tenant: Tenant, filter: ViewFilter): PartitionView[] {
  return partitions.flatMap((partition) => {
    const inDay = dayFilter(tenant, partition.day, filter);
    if (inDay === undefined) return [];
    const { startMin, startMax } = inDay;
    const dayNs = BigInt(partition.day) * BigInt(DAY_NS);
    const parts = partition.parts.filter(
      ({ startMinNs, startMaxNs }) => Number(startMaxNs - dayNs) >= startMin && Number(startMinNs - dayNs) <= startMax,
    );
    const logBlocks = partition.logBlocks.filter((block) => block.startMax >= startMin && block.startMin <= startMax);
    return [{ ...partition, parts, logBlocks }];
  });
}

export function viewPart({ identity, entry, path }: LivePart): ViewPart {
  const { blocks, rows: rowCount, minStartNs: startMinNs, maxStartNs: startMaxNs } = entry;
  return { identity, path, blocks, rowCount, startMinNs, startMaxNs };
}

/** The parts that may match `filter`. */
export function pickParts(parts: readonly LivePart[], day: number, filter: DayFilter): LivePart[] {
  const dayNs = BigInt(day) * BigInt(DAY_NS);
  return parts.filter(({ entry, tenants }) => {
    if (!tenants.has(filter.tenant)) return false;
    return Number(entry.maxStartNs - dayNs) >= filter.startMin && Number(entry.minStartNs - dayNs) <= filter.startMax;
  });
}

/** The blocks of `file` that may match `filter`. */
export function pickLogBlocks(file: LogFile, filter: DayFilter): ViewLogBlock[] {
  const picked: ViewLogBlock[] = [];
  for (const { offset, header, traceKeys } of file.blocks) {
    if (header.tenant !== filter.tenant || header.startMax < filter.startMin || header.startMin > filter.startMax)
      continue;
    if (filter.traceKeys !== undefined && !filter.traceKeys.some((key) => hasTraceKey(traceKeys, key))) continue;
    const { sizeBytes, rowCount, startMin, startMax } = header;
    picked.push({ identity: file.identity, path: file.path, offset, sizeBytes, rowCount, startMin, startMax });
  }
  return picked;
}
