// Which part of the log a storage node holds, how far it is and what it lacks, as JSON: `tracelith sync` asks for it, because spans are
// copied only between nodes that hold the same part. Pure.
import { partitionsOf } from './open-ingest-log.ts';
import { gapText, type PartitionState } from './log-consumer.ts';

/** What a node lacks of a partition, both offsets included. */
export interface GapRange {
  readonly partition: number;
  readonly from: string;
  readonly to: string;
}

/** POST /internal/partition/log answers this; null: the node reads no log. Offsets are text, as JSON has no 64-bit integers. */
export interface PlaceInLog {
  readonly zone: string;
  /** It reads the partitions p of `partitions` with p mod `nodes` = `ordinal`. */
  readonly ordinal: number;
  readonly nodes: number;
  readonly partitions: number;
  /** Only insert nodes write to the log. Others put a trace where they like. Absent in older releases: not known. */
  readonly isOursAlone?: boolean;
  /** Up to where it has stored them, by partition. */
  readonly stored: Readonly<Record<string, string>>;
  /** `what`: for people, with the times. */
  readonly gaps: readonly (GapRange & { readonly what: string })[];
}

/** As a node tells it. */
export function placeInLog(
  part: Pick<PlaceInLog, 'zone' | 'ordinal' | 'nodes' | 'partitions' | 'isOursAlone'>,
  states: readonly PartitionState[],
): PlaceInLog {
  return {
    ...part,
    stored: Object.fromEntries(states.map(({ partition, consumed }) => [partition, String(consumed)])),
    gaps: gapsOf(states),
  };
}

export function gapsOf(states: readonly PartitionState[]): PlaceInLog['gaps'] {
  return states.flatMap(({ partition, gap }) =>
    gap === undefined ? [] : [{ partition, from: String(gap.from), to: String(gap.to), what: gapText(partition, gap) }],
  );
}

/** Whether `gap` is one of them, neither more nor less. */
export function hasGap(gaps: readonly GapRange[], gap: GapRange): boolean {
  return gaps.some(({ partition, from, to }) => partition === gap.partition && from === gap.from && to === gap.to);
}

/** The partitions that both read: all of a node's if the other is its twin, some if their zones have other numbers of nodes. */
export function sharedPartitions(one: PlaceInLog, other: PlaceInLog): number[] {
  if (one.partitions !== other.partitions) return [];
  const own = partitionsOf(one.partitions, one.ordinal, one.nodes);
  return own.filter((partition) => partition % other.nodes === other.ordinal);
}

/** Both read the same partitions: every trace that one has the other should have, wherever who wrote it put it. */
export function areTwins(one: PlaceInLog, other: PlaceInLog): boolean {
  return one.partitions === other.partitions && one.nodes === other.nodes && one.ordinal === other.ordinal;
}

/** Whether it is known of every trace of one if the other should have it: insert nodes put a trace where its id says. */
export function areComparable(one: PlaceInLog, other: PlaceInLog): boolean {
  return areTwins(one, other) || (one.isOursAlone === true && other.isOursAlone === true);
}

/**
 * Of the gaps of `node` those that `other` can fill: it reads the partition, lacks nothing of it, has all that was missed, and can
 * be compared.
 */
export function fillableGaps(other: PlaceInLog, node: PlaceInLog): PlaceInLog['gaps'] {
  if (!areComparable(other, node)) return [];
  const shared = sharedPartitions(other, node).filter((partition) => gapOf(other, partition) === undefined);
  return node.gaps.filter(
    ({ partition, to }) => shared.includes(partition) && BigInt(other.stored[partition] ?? 0) >= BigInt(to),
  );
}

function gapOf({ gaps }: PlaceInLog, partition: number): object | undefined {
  return gaps.find((gap) => gap.partition === partition);
}
