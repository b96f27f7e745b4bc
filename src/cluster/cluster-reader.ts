// The TraceReader of a select node: asks every storage node and merges what they answer (merge-answers.ts). It holds no data. The
// traces of all answers under way together are bounded, as they arrive.
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { deadlineAfter, leftMs, type CallContext } from '../trace/call-context.ts';
import { findPage } from '../query/find-page.ts';
import { idKey } from '../query/find-traces.ts';
import { Turns } from '../query/turns.ts';
import type { SearchExplainer, SearchExplanation } from '../trace/search-explanation.ts';
import type {
  FoundHits,
  FoundIds,
  FoundLinks,
  FoundSeries,
  FoundTraces,
  Listed,
  Marked,
  MetricsQuery,
  Missing,
  Operation,
  SearchHit,
  TraceReader,
} from '../trace/store.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import { askNodes, type Answers, type AskNode } from './ask-nodes.ts';
import {
  joinPieces,
  mergeExplanations,
  mergeHits,
  mergeIds,
  mergeLinks,
  mergeOperations,
  mergeSeries,
  mergeServices,
} from './merge-answers.ts';
import type { ReplicaAsker } from './ask-replicas.ts';
import { ReadBudget, type ReadBudgetOptions } from './read-budget.ts';
import type { StorageNodes } from './storage-nodes.ts';

export interface ClusterReaderOptions extends ReadBudgetOptions {
  readonly nodes: Pick<StorageNodes, 'all'>;
  /** Of nodes that a log feeds; undefined: all nodes are asked. */
  readonly replicas?: ReplicaAsker | undefined;
  /** Questions that are under way at once; further ones wait. */
  readonly concurrentMax: number;
  /** Time for one question, ms. */
  readonly durationMaxMs: number;
  /** How long a question waits for its turn, ms; default durationMaxMs. */
  readonly waitMaxMs?: number;
  /** -search.allowPartialResponse */
  readonly allowsPartial: boolean;
  /** Called with the missing nodes of every answer that is partial. */
  readonly observePartial?: (missing: readonly Missing[]) => void;
}

export class ClusterReader implements TraceReader, SearchExplainer {
  readonly #options: ClusterReaderOptions;
  readonly #turns: Turns;
  readonly #budget: ReadBudget;

  constructor(options: ClusterReaderOptions) {
    this.#options = options;
    this.#budget = new ReadBudget(options);
    const { concurrentMax: runningMax, durationMaxMs, waitMaxMs = durationMaxMs } = options;
    this.#turns = new Turns({ runningMax, waitingMax: limits.queriesWaitingMax, waitMaxMs });
  }

  async listServices(call: CallContext): Promise<Listed<string>> {
    const { answers, marked } = await this.#ask(call, (store, asked) => store.listServices(asked));
    return { items: mergeServices(answers.map(({ items }) => items)), ...marked };
  }

  async listOperations(call: CallContext, service: string, kind?: number): Promise<Listed<Operation>> {
    const { answers, marked } = await this.#ask(call, (store, asked) => store.listOperations(asked, service, kind));
    return { items: mergeOperations(answers.map(({ items }) => items)), ...marked };
  }

  async findTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundTraces> {
    if (traceIds.length === 0) return { traces: [], warnings: [] };
    using read = this.#budget.open();
    const { answers, marked } = await this.#ask(call, (store, asked) =>
      read.attempt((take) => store.findPieces(asked, traceIds, take)),
    );
    const found = traceIds.map((traceId) => answers.flatMap(({ pieces }) => pieces.get(idKey(traceId)) ?? []));
    return { traces: found.flatMap(joinPieces), ...marked };
  }

  async hasTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundIds> {
    if (traceIds.length === 0) return { traceIds: [], warnings: [] };
    const { answers, marked } = await this.#ask(call, (store, asked) => store.hasTraces(asked, traceIds));
    return { traceIds: mergeIds(answers, traceIds), ...marked };
  }

  /** Page after page is merged as it comes: of many nodes, never more than two whole pages are held. */
  async searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits> {
    let hits: readonly SearchHit[] = [];
    const { marked } = await this.#ask(call, async (store, asked) => {
      const found = await store.searchTraces(asked, query);
      hits = mergeHits([hits, found.hits], query);
      return { ...found, hits: [] };
    });
    return { hits, ...marked };
  }

  /** The time of the call is for both steps. */
  findNewest(call: CallContext, query: TraceQuery): Promise<FoundTraces> {
    return findPage(this, { ...call, deadlineNs: this.#deadlineOf(call) }, query);
  }

  async listDependencies(call: CallContext, startNs: bigint, endNs: bigint): Promise<FoundLinks> {
    const { answers, marked } = await this.#ask(call, (store, asked) => store.listDependencies(asked, startNs, endNs));
    return { links: mergeLinks(answers.map(({ links }) => links)), ...marked };
  }

  async listCallSeries(call: CallContext, query: MetricsQuery): Promise<FoundSeries> {
    using read = this.#budget.open(tooManySeries);
    const { answers, marked } = await this.#ask(call, (store, asked) =>
      read.attempt((take) => store.takeCallSeries(asked, query, take)),
    );
    return { series: mergeSeries(answers.map(({ series }) => series)), ...marked };
  }

  async explainSearch(call: CallContext, query: TraceQuery): Promise<SearchExplanation> {
    const { answers, marked } = await this.#ask(call, (store, asked) => store.explainSearch(asked, query));
    return { ...mergeExplanations(answers, query), ...marked };
  }

  /** Bytes of the answers that are being read. */
  get readingBytes(): number {
    return this.#budget.bytes;
  }

  #deadlineOf(call: CallContext): bigint | undefined {
    return deadlineAfter(Math.min(this.#options.durationMaxMs, leftMs(call)));
  }

  async #ask<T extends Marked>(
    call: CallContext,
    ask: AskNode<T>,
  ): Promise<{ readonly answers: readonly T[]; readonly marked: Marked }> {
    const { nodes, replicas, allowsPartial, observePartial } = this.#options;
    await this.#turns.take(call.tenant, call.signal);
    try {
      const asked = { ...call, allowsPartial: call.allowsPartial ?? allowsPartial, deadlineNs: this.#deadlineOf(call) };
      const found = await (replicas?.ask(nodes.all, asked, ask) ?? askNodes(nodes.all, asked, ask));
      const marked = marksOf(found);
      if (marked.missing !== undefined) observePartial?.(marked.missing);
      return { answers: found.answers.map(({ answer }) => answer), marked };
    } finally {
      this.#turns.release(call.tenant);
    }
  }
}

function tooManySeries(bytesMax: number): StoreError {
  const text = `the series asked for have more than ${bytesMax} bytes; ask for fewer services, or for a shorter time`;
  return new StoreError('LIMIT_EXCEEDED', text);
}

/** Warnings in the order of the nodes' names, so that equal answers have equal bytes. */
function marksOf<T extends Marked>({ answers, missing, warnings: together = [] }: Answers<T>): Marked {
  const ordered = answers.toSorted((x, y) => (x.node.shownName < y.node.shownName ? -1 : 1));
  const warnings = [...new Set([...together, ...ordered.flatMap(({ answer }) => answer.warnings)])];
  const all = [...missing, ...ordered.flatMap(({ answer }) => answer.missing ?? [])];
  return all.length === 0 ? { warnings } : { warnings, missing: all };
}
