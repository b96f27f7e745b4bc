// Which storage nodes answer a question together when a log feeds them: each partition of the log once. Node i of n in a zone holds
// the partitions p with p mod n = i, so nodes with the same n and i in different zones are replicas of each other. Zones with
// another n (one of them is growing) share no replicas: then the nodes of one n answer. Pure.
import type { LogPlace } from './protocol.ts';

/** What the plan needs of a node. */
export interface PlannedNode {
  readonly shownName: string;
  readonly isUp: boolean;
  /** undefined: it consumes no log, or it has never answered. */
  readonly log: LogPlace | undefined;
  /** undefined: it has never answered. */
  readonly name: string | undefined;
}

/** Nodes that hold the same spans. */
export interface Cell<T extends PlannedNode> {
  /** Those of the log that are in it. */
  readonly partitions: readonly number[];
  /** In the order in which they are asked. At least one, but for a part of the log that no known node has. */
  readonly replicas: readonly T[];
}

export interface PlanOptions {
  /** The ends of the partitions that are known. */
  readonly offsets: ReadonlyMap<number, bigint>;
  readonly partitions: number;
  /** Asked first; empty: all zones in turns. */
  readonly zone: string;
  /** Counts up with each question. */
  readonly turn: number;
}

/** What a node told a second ago may be so far behind the end while it keeps up: messages. */
const NEAR = 256n;

export function planReplicas<T extends PlannedNode>(nodes: readonly T[], options: PlanOptions): Cell<T>[] {
  const ofLog = nodes.filter(({ log }) => log !== undefined);
  const others = nodes.filter(({ log, name }) => log === undefined && name !== undefined);
  const layouts = [...new Set(ofLog.map(({ log }) => log?.nodes ?? 1))].sort((a, b) => a - b);
  const plans = layouts.map((count) => cellsOf(ofLog, count, options));
  // Written to directly, before the log came or beside it: each holds spans of its own.
  const beside = others.map((node): Cell<T> => ({ partitions: [], replicas: [node] }));
  return [...(best(plans, options) ?? []), ...beside];
}

function cellsOf<T extends PlannedNode>(nodes: readonly T[], count: number, options: PlanOptions): Cell<T>[] {
  return Array.from({ length: count }, (_, ordinal) => {
    const all = Array.from({ length: options.partitions }, (__, partition) => partition);
    const partitions = all.filter((partition) => partition % count === ordinal);
    const replicas = nodes.filter(({ log }) => (log?.nodes ?? 1) === count && (log?.ordinal ?? 0) === ordinal);
    return { partitions, replicas: inOrder(replicas, partitions, options) };
  });
}

/** Those that are up, lack nothing and keep up come first; of these the own zone, or each in turn. */
function inOrder<T extends PlannedNode>(
  replicas: readonly T[],
  partitions: readonly number[],
  options: PlanOptions,
): T[] {
  const { zone, turn } = options;
  const sorted = replicas.toSorted((x, y) => (x.shownName < y.shownName ? -1 : 1));
  const turned = sorted.map((_, i) => sorted[(i + turn) % sorted.length]!);
  const rank = (node: T): number[] => {
    const lag = lagOf(node, partitions, options);
    const isElsewhere = zone !== '' && node.log?.zone !== zone;
    return [Number(!node.isUp), Number(node.log?.hasGaps ?? false), lag > NEAR ? Number(lag) : 0, Number(isElsewhere)];
  };
  return turned
    .map((node) => ({ node, ranks: rank(node) }))
    .toSorted((x, y) => compare(x.ranks, y.ranks))
    .map(({ node }) => node);
}

function compare(some: readonly number[], others: readonly number[]): number {
  for (const [i, one] of some.entries()) if (one !== others[i]) return one - others[i]!;
  return 0;
}

/** Messages, as far as is known. */
function lagOf({ log }: PlannedNode, partitions: readonly number[], { offsets }: PlanOptions): bigint {
  let lag = 0n;
  for (const partition of partitions) {
    const end = offsets.get(partition) ?? 0n;
    const consumed = log?.consumed[partition] ?? 0n;
    if (end > consumed) lag += end - consumed;
  }
  return lag;
}

/** The plan with the fewest cells that nobody up can answer, then with the smallest lag. */
function best<T extends PlannedNode>(plans: readonly Cell<T>[][], options: PlanOptions): Cell<T>[] | undefined {
  const ranked = plans.map((cells) => {
    const firsts = cells.map(({ replicas: [first] }) => first);
    const unanswered = firsts.filter(
      (first) => first === undefined || !first.isUp || first.log?.hasGaps === true,
    ).length;
    const lag = cells.reduce(
      (sum, { partitions }, i) => sum + lagOf(firsts[i] ?? { ...NOBODY }, partitions, options),
      0n,
    );
    return { cells, ranks: [unanswered, Number(lag)] };
  });
  return ranked.toSorted((x, y) => compare(x.ranks, y.ranks))[0]?.cells;
}

const NOBODY: PlannedNode = { shownName: '', isUp: false, log: undefined, name: undefined };
