// Questions about several tenants at once (CallContext.tenants), over a reader that knows only one: each tenant is asked, in its own
// turn and within its own limits, and the answers are merged as those of several nodes (merge-answers.ts). Who may ask for whom
// is decided before (trace/principal.ts). Questions about one tenant pass unchanged.
import { limits } from '../base/limits.ts';
import { findPage } from '../query/find-page.ts';
import { idKey } from '../query/find-traces.ts';
import { ofTenants, type CallContext } from '../trace/call-context.ts';
import { onlyTenant } from '../trace/principal.ts';
import type { SearchExplainer, SearchExplanation } from '../trace/search-explanation.ts';
import type {
  FoundHits,
  FoundIds,
  FoundLinks,
  FoundSeries,
  FoundTrace,
  FoundTraces,
  Listed,
  Marked,
  MetricsQuery,
  Operation,
  TraceArchive,
  TraceReader,
} from '../trace/store.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
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

type Reader = TraceReader & SearchExplainer;
/** An answer without its marks. */
type Unmarked<T extends Marked> = Omit<T, keyof Marked>;

export class TenantsReader implements Reader {
  readonly #reader: Reader;
  readonly #answerBytesMax: number;

  /** `answerBytesMax`: OTLP bytes of the traces of one answer, those of all its tenants together. */
  constructor(reader: Reader, answerBytesMax: number = limits.answerBytesMax) {
    this.#reader = reader;
    this.#answerBytesMax = answerBytesMax;
  }

  listServices(call: CallContext): Promise<Listed<string>> {
    const ask = (one: CallContext): Promise<Listed<string>> => this.#reader.listServices(one);
    return askEach(call, ask, (answers) => ({ items: mergeServices(answers.map(({ items }) => items)) }));
  }

  listOperations(call: CallContext, service: string, kind?: number): Promise<Listed<Operation>> {
    const ask = (one: CallContext): Promise<Listed<Operation>> => this.#reader.listOperations(one, service, kind);
    return askEach(call, ask, (answers) => ({ items: mergeOperations(answers.map(({ items }) => items)) }));
  }

  /** One tenant after the other, so that no more than one answer is held beyond the limit. */
  async findTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundTraces> {
    const { tenants } = call;
    if (tenants === undefined) return await this.#reader.findTraces(call, traceIds);
    const pieces = new Map<string, FoundTrace[]>();
    const answers: FoundTraces[] = [];
    let bytes = 0;
    for (const tenant of tenants) {
      const found = await this.#reader.findTraces({ ...call, ...ofTenants([tenant]) }, traceIds);
      answers.push({ ...found, traces: [] });
      for (const trace of found.traces) {
        bytes += trace.otlp.length;
        if (bytes > this.#answerBytesMax) throw tooLarge(this.#answerBytesMax);
        const key = idKey(trace.traceId);
        pieces.set(key, [...(pieces.get(key) ?? []), trace]);
      }
    }
    return { traces: traceIds.flatMap((id) => joinPieces(pieces.get(idKey(id)) ?? [])), ...marksOf(answers) };
  }

  hasTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundIds> {
    const ask = (one: CallContext): Promise<FoundIds> => this.#reader.hasTraces(one, traceIds);
    return askEach(call, ask, (answers) => ({ traceIds: mergeIds(answers, traceIds) }));
  }

  searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits> {
    const ask = (one: CallContext): Promise<FoundHits> => this.#reader.searchTraces(one, query);
    return askEach(call, ask, (answers) => ({
      hits: mergeHits(
        answers.map(({ hits }) => hits),
        query,
      ),
    }));
  }

  findNewest(call: CallContext, query: TraceQuery): Promise<FoundTraces> {
    return call.tenants === undefined ? this.#reader.findNewest(call, query) : findPage(this, call, query);
  }

  listDependencies(call: CallContext, startNs: bigint, endNs: bigint): Promise<FoundLinks> {
    const ask = (one: CallContext): Promise<FoundLinks> => this.#reader.listDependencies(one, startNs, endNs);
    return askEach(call, ask, (answers) => ({ links: mergeLinks(answers.map(({ links }) => links)) }));
  }

  listCallSeries(call: CallContext, query: MetricsQuery): Promise<FoundSeries> {
    const ask = (one: CallContext): Promise<FoundSeries> => this.#reader.listCallSeries(one, query);
    return askEach(call, ask, (answers) => ({ series: mergeSeries(answers.map(({ series }) => series)) }));
  }

  explainSearch(call: CallContext, query: TraceQuery): Promise<SearchExplanation> {
    const ask = (one: CallContext): Promise<SearchExplanation> => this.#reader.explainSearch(one, query);
    return askEach(call, ask, (answers) => mergeExplanations(answers, query));
  }
}

/** An archive that refuses calls about several tenants (INVALID_REQUEST): a trace is archived for one. */
export function archiveOfOneTenant(archive: TraceArchive): TraceArchive {
  const one = (call: CallContext): CallContext => {
    onlyTenant(call.tenants ?? [call.tenant]);
    return call;
  };
  return {
    archiveTrace: async (call, id) => await archive.archiveTrace(one(call), id),
    isArchived: async (call, id) => await archive.isArchived(one(call), id),
    deleteArchived: async (call, id) => await archive.deleteArchived(one(call), id),
    purge: () => archive.purge(),
  };
}

/** Asks for each tenant at the same time; the first failure ends the others. */
async function askEach<T extends Marked>(
  call: CallContext,
  ask: (call: CallContext) => Promise<T>,
  merge: (answers: readonly T[]) => Unmarked<T>,
): Promise<T> {
  const { tenants } = call;
  if (tenants === undefined) return await ask(call);
  const failed = new AbortController();
  const signal = call.signal === undefined ? failed.signal : AbortSignal.any([call.signal, failed.signal]);
  const asked = tenants.map((tenant) => ask({ ...call, ...ofTenants([tenant]), signal }));
  try {
    const answers = await Promise.all(asked);
    return { ...merge(answers), ...marksOf(answers) } as T;
  } catch (error) {
    failed.abort();
    await Promise.allSettled(asked);
    throw error;
  }
}

/** What any of the answers lacks. */
function marksOf(answers: readonly Marked[]): Marked {
  const warnings = [...new Set(answers.flatMap((answer) => answer.warnings))];
  const missing = answers.flatMap((answer) => answer.missing ?? []);
  if (missing.length === 0) return { warnings };
  return { warnings, missing: [...new Map(missing.map((one) => [one.node, one])).values()] };
}
