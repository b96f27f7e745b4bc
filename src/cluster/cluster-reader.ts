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
import { tooLarge } from './remote-store.ts';
import type { StorageNodes } from './storage-nodes.ts';

export interface ClusterReaderOptions {
  readonly nodes: Pick<StorageNodes, 'all'>;
  /** Questions that are under way at once; further ones wait. */
  readonly concurrentMax: number;
  /** Time for one question, and separately for its wait before it, ms. */
  readonly durationMaxMs: number;
  /** -search.allowPartialResponse */
  readonly allowsPartial: boolean;
  /** OTLP bytes of the traces of one answer, and of all answers while they are read. */
  readonly answerBytesMax?: number;
  readonly answersBytesMax?: number;
  /** Called with the missing nodes of every answer that is partial. */
  readonly observePartial?: (missing: readonly Missing[]) => void;
}

export class ClusterReader implements TraceReader, SearchExplainer {
  readonly #options: ClusterReaderOptions;
  readonly #turns: Turns;
  /** OTLP bytes of the answers that are being read. */
  #bytes = 0;

  constructor(options: ClusterReaderOptions) {
    this.#options = options;
    const { concurrentMax: runningMax, durationMaxMs: waitMaxMs } = options;
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
    const { answerBytesMax = limits.answerBytesMax, answersBytesMax = limits.answersBytesMax } = this.#options;
    let own = 0;
    const take = (bytes: number): void => {
      own += bytes;
      this.#bytes += bytes;
      if (own > answerBytesMax) throw tooLarge(answerBytesMax);
      if (this.#bytes > answersBytesMax && this.#bytes > own)
        throw new StoreError('OVERLOADED', `${this.#bytes} bytes of traces are being read for others; try again`);
    };
    try {
      const { answers, marked } = await this.#ask(call, (store, asked) => store.findPieces(asked, traceIds, take));
      const found = traceIds.map((traceId) => answers.flatMap(({ pieces }) => pieces.get(idKey(traceId)) ?? []));
      return { traces: found.flatMap(joinPieces), ...marked };
    } finally {
      this.#bytes -= own;
    }
  }

  async hasTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundIds> {
    if (traceIds.length === 0) return { traceIds: [], warnings: [] };
    const { answers, marked } = await this.#ask(call, (store, asked) => store.hasTraces(asked, traceIds));
    return { traceIds: mergeIds(answers, traceIds), ...marked };
  }

  async searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits> {
    const { answers, marked } = await this.#ask(call, (store, asked) => store.searchTraces(asked, query));
    return {
      hits: mergeHits(
        answers.map(({ hits }) => hits),
        query,
      ),
      ...marked,
    };
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
    const { answers, marked } = await this.#ask(call, (store, asked) => store.listCallSeries(asked, query));
    return { series: mergeSeries(answers.map(({ series }) => series)), ...marked };
  }

  async explainSearch(call: CallContext, query: TraceQuery): Promise<SearchExplanation> {
    const { answers, marked } = await this.#ask(call, (store, asked) => store.explainSearch(asked, query));
    return { ...mergeExplanations(answers, query), ...marked };
  }

  #deadlineOf(call: CallContext): bigint | undefined {
    return deadlineAfter(Math.min(this.#options.durationMaxMs, leftMs(call)));
  }

  async #ask<T extends Marked>(
    call: CallContext,
    ask: AskNode<T>,
  ): Promise<{ readonly answers: readonly T[]; readonly marked: Marked }> {
    const { nodes, allowsPartial, observePartial } = this.#options;
    await this.#turns.take(call.tenant, call.signal);
    try {
      const asked = { ...call, allowsPartial: call.allowsPartial ?? allowsPartial, deadlineNs: this.#deadlineOf(call) };
      const found = await askNodes(nodes.all, asked, ask);
      const marked = marksOf(found);
      if (marked.missing !== undefined) observePartial?.(marked.missing);
      return { answers: found.answers.map(({ answer }) => answer), marked };
    } finally {
      this.#turns.release(call.tenant);
    }
  }
}

/** Warnings in the order of the nodes' names, so that equal answers have equal bytes. */
function marksOf<T extends Marked>({ answers, missing }: Answers<T>): Marked {
  const ordered = answers.toSorted((x, y) => (x.node.shownName < y.node.shownName ? -1 : 1));
  const warnings = [...new Set(ordered.flatMap(({ answer }) => answer.warnings))];
  const all = [...missing, ...ordered.flatMap(({ answer }) => answer.missing ?? [])];
  return all.length === 0 ? { warnings } : { warnings, missing: all };
}
