// Which part of the log a storage node holds, how far it is and what it lacks, as JSON: `tracelith sync` asks for it, because spans are
// copied only between nodes that hold the same part. Pure.
import { gapText, type PartitionState } from './log-consumer.ts';

/** POST /internal/partition/log answers this; null: the node reads no log. Offsets are text, as JSON has no 64-bit integers. */
export interface PlaceInLog {
  readonly zone: string;
  /** It reads the partitions p of `partitions` with p mod `nodes` = `ordinal`. */
  readonly ordinal: number;
  readonly nodes: number;
  readonly partitions: number;
  /** Up to where it has stored them, by partition. */
  readonly stored: Readonly<Record<string, string>>;
  readonly gaps: readonly {
    readonly partition: number;
    readonly from: string;
    readonly to: string;
    /** For people, with the times. */
    readonly what: string;
  }[];
}

/** As a node tells it. */
export function placeInLog(
  part: Pick<PlaceInLog, 'zone' | 'ordinal' | 'nodes' | 'partitions'>,
  states: readonly PartitionState[],
): PlaceInLog {
  return {
    ...part,
    stored: Object.fromEntries(states.map(({ partition, consumed }) => [partition, String(consumed)])),
    gaps: states.flatMap(({ partition, gap }) =>
      gap === undefined
        ? []
        : [{ partition, from: String(gap.from), to: String(gap.to), what: gapText(partition, gap) }],
    ),
  };
}

/** Whether both hold the same part of the log. */
export function areTwins(one: PlaceInLog, other: PlaceInLog): boolean {
  const keys = ['ordinal', 'nodes', 'partitions'] as const;
  return keys.every((key) => one[key] === other[key]);
}

/** Whether `twin` has everything that `node` lacks. */
export function canFill(twin: PlaceInLog, { gaps }: PlaceInLog): boolean {
  return twin.gaps.length === 0 && gaps.every(({ partition, to }) => BigInt(twin.stored[partition] ?? 0) >= BigInt(to));
}
