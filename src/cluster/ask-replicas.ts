// One question to storage nodes that a log feeds: of each part of the log, to one replica that has stored it up to the end that the log
// had when the question came. A replica that fails, is slow or lags is not waited for alone: the next one is asked, and the first whole answer
// counts. Are all behind, the least behind answers, and the answer says by how much.
import { StoreError } from '../base/errors.ts';
import type { LogTail } from '../ingest-log/log-tail.ts';
import type { CallContext } from '../trace/call-context.ts';
import type { Behind, Marked, Missing } from '../trace/store.ts';
import {
  askNode,
  isNodeFailure,
  unanswered,
  withSignal,
  type Answers,
  type AskNode,
  type NodeAnswer,
} from './ask-nodes.ts';
import { planReplicas, type Cell } from './plan-replicas.ts';
import type { StorageNode } from './storage-node.ts';

export interface ReplicaOptions {
  readonly tail: Pick<LogTail, 'ends'>;
  readonly partitions: number;
  /** -ingestLog.zone of this process: its nodes are asked first. */
  readonly zone: string;
  /** -ingestLog.hedgeAfter */
  readonly hedgeAfterMs: number;
}

/** Counted since the start. */
export interface ReplicaCounters {
  /** Replicas that were asked because the one before them was slow, failed, or lagged. */
  hedged: number;
  /** Answers of which a part was behind the log. */
  behind: number;
  /** Questions in which the log did not tell where a partition ends. */
  unknownEnds: number;
}

interface CellAnswer<T> {
  readonly answer: NodeAnswer<T> | undefined;
  readonly failures: readonly Missing[];
}

export class ReplicaAsker {
  readonly counters: ReplicaCounters = { hedged: 0, behind: 0, unknownEnds: 0 };
  readonly #options: ReplicaOptions;
  #turn = 0;

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** As askNodes. */
  async ask<T extends Marked>(nodes: readonly StorageNode[], call: CallContext, ask: AskNode<T>): Promise<Answers<T>> {
    if (nodes.length === 0) throw new StoreError('UNAVAILABLE', 'no storage node is known (-storageNode); try again');
    const { tail, partitions, zone } = this.#options;
    const { offsets, unknown } = await tail.ends();
    const cells = planReplicas(nodes, { offsets, partitions, zone, turn: this.#turn++ });
    const others = new AbortController();
    const missing: Missing[] = [];
    const answers: NodeAnswer<T>[] = [];
    const warnings: string[] = [];
    if (unknown.length > 0) {
      this.counters.unknownEnds++;
      warnings.push(
        `the log does not tell where partition ${unknown.join(', ')} ends: spans of the last moments may be missing`,
      );
    }
    const asked = cells.map(async (cell) => {
      const needed = new Map(cell.partitions.flatMap((p) => (offsets.has(p) ? [[p, offsets.get(p)!] as const] : [])));
      const { answer, failures } = await this.#askCell(
        cell,
        { ...withSignal(call, others.signal), logOffsets: needed },
        ask,
      );
      if (answer !== undefined) {
        answers.push(answer);
        warnings.push(...this.#lagsOf(answer.answer, needed));
        return;
      }
      missing.push(...(failures.length > 0 ? failures : [absent(cell)]));
      if (call.allowsPartial !== true) throw unanswered(missing);
    });
    try {
      await Promise.all(asked);
    } catch (error) {
      others.abort();
      await Promise.allSettled(asked);
      throw error;
    }
    if (answers.length === 0)
      throw unanswered(missing.length > 0 ? missing : [{ node: '(any)', reason: 'none answers yet' }]);
    return { answers, missing: missing.sort((x, y) => (x.node < y.node ? -1 : 1)), warnings: warnings.sort() };
  }

  /** The first whole answer of a replica; when there is none, the least behind. Throws what a node says against the question. */
  #askCell<T extends Marked>(
    { replicas }: Cell<StorageNode>,
    call: CallContext,
    ask: AskNode<T>,
  ): Promise<CellAnswer<T>> {
    const { hedgeAfterMs } = this.#options;
    const done = Promise.withResolvers<CellAnswer<T>>();
    const rest = new AbortController();
    const failures: Missing[] = [];
    const late: NodeAnswer<T>[] = [];
    let asked = 0;
    let timer: NodeJS.Timeout | undefined;
    const next = (): void => {
      clearTimeout(timer);
      const node = replicas[asked];
      if (node === undefined) {
        if (failures.length + late.length === asked) done.resolve({ answer: leastBehind(late), failures });
        return;
      }
      if (asked++ > 0) this.counters.hedged++;
      if (asked < replicas.length) timer = setTimeout(next, hedgeAfterMs);
      askNode(node, withSignal(call, rest.signal), ask).then(
        (answer) => {
          if ((answer.behind ?? []).length === 0) return done.resolve({ answer: { node, answer }, failures });
          late.push({ node, answer });
          next();
        },
        (error: unknown) => {
          if (!isNodeFailure(error) || call.signal?.aborted === true) return done.reject(error);
          failures.push({ node: node.shownName, reason: error.message });
          next();
        },
      );
    };
    next();
    return done.promise.finally(() => {
      clearTimeout(timer);
      rest.abort();
    });
  }

  #lagsOf({ behind = [] }: Marked, needed: ReadonlyMap<number, bigint>): string[] {
    if (behind.length > 0) this.counters.behind++;
    return behind.map(({ partition, offset, ageMs }) => {
      const lag = (needed.get(partition) ?? offset) - offset;
      const age = ageMs === 0 ? '' : ` (${Math.ceil(ageMs / 1_000)} s)`;
      return `partition ${partition} is ${lag} messages${age} behind the log on every storage node: its newest spans are missing`;
    });
  }
}

function leastBehind<T extends Marked>(late: readonly NodeAnswer<T>[]): NodeAnswer<T> | undefined {
  const far = ({ behind = [] }: Marked): bigint => behind.reduce((sum, { offset }: Behind) => sum - offset, 0n);
  // The fewest partitions behind; of these the highest offsets.
  return late.toSorted((x, y) => {
    const [some, others] = [x.answer.behind?.length ?? 0, y.answer.behind?.length ?? 0];
    return some === others ? Number(far(x.answer) - far(y.answer)) : some - others;
  })[0];
}

function absent({ partitions }: Cell<StorageNode>): Missing {
  return {
    node: `of partitions ${partitions.join(', ')}`,
    reason: 'no such node is known (-ingestLog.ordinal, -ingestLog.nodes)',
  };
}
