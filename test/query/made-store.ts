// Small stores for queries, written as the engine writes them but placed by hand: which spans lie in which block of which
// part or log file of which day. No index and no commit: a view is only paths.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBlockHeader } from '../../src/block/block-header.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import { CallColumns } from '../../src/block/call-columns.ts';
import { encodeBlock } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { TermSet } from '../../src/block/terms.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { PartRollups } from '../../src/part/part-rollups.ts';
import { PartWriter } from '../../src/part/part-writer.ts';
import type { PartitionView, ViewLogBlock, ViewPart } from '../../src/partition/view.ts';
import type { ViewFiles } from '../../src/query/block-source.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import type { BlockSource } from '../../src/query/block-source.ts';
import type { Deadline } from '../../src/query/deadline.ts';
import { searchTraces } from '../../src/query/search-traces.ts';
import { runQuery, type QueryResult, type QueryTask } from '../../src/query/run-query.ts';
import { rowsByDay } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT, type Tenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { batchOf } from '../block/scanned.ts';
import { decodeTraces, spansOf, type OtlpRequest } from '../support/otlp-proto.ts';

const DAY_NS = 86_400_000_000_000n;

export class MadeStore implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'tracelith-query-'));
  /** Keeps no block: whoever uses something of one after its use finds it freed. */
  readonly cache: PartCache = new PartCache(nodeDisk, { blockBytesMax: 0 });
  readonly #days = new Map<number, { parts: ViewPart[]; logBlocks: (ViewLogBlock & { tenant: Tenant })[] }>();
  readonly #memoryBytes: number | undefined;
  #files = 0;

  /** `memoryBytes`: what the writer of a part may keep in memory. */
  constructor(memoryBytes?: number) {
    this.#memoryBytes = memoryBytes;
  }

  /** A part of each day the requests have, a block for each request. Returns the parts' paths. */
  addPart(requests: readonly OtlpRequest[], tenant: Tenant = DEFAULT_TENANT): string[] {
    const byDay = new Map<number, { bytes: Uint8Array; terms: TermSet }[]>();
    for (const request of requests) {
      for (const { day, ...block } of blocksOf(request, tenant)) byDay.set(day, [...(byDay.get(day) ?? []), block]);
    }
    return [...byDay].map(([day, blocks]) => this.#writePart(day, tenant, blocks));
  }

  #writePart(day: number, tenant: Tenant, blocks: readonly { bytes: Uint8Array; terms: TermSet }[]): string {
    const identity = newIdentity();
    const path = join(this.#folder(day), identity);
    mkdirSync(this.#folder(day), { recursive: true });
    const writer = new PartWriter(nodeDisk, path, this.#memoryBytes);
    using rollups = new PartRollups(nodeDisk, writer, {
      kind: 'count',
      counted: this.#day(day).parts.map((part) => part.path),
    });
    for (const { bytes, terms } of blocks) {
      writer.addBlock(bytes, terms);
      const columns = rollups.readColumns(tenant, new BlockReader(bytes))!;
      rollups.add(columns, (names) => new CallColumns(new BlockReader(bytes), names));
    }
    rollups.finish();
    const { rowCount, blocks: written } = writer.finish(day, { logSeqMax: 0, partIds: [] });
    const midnight = BigInt(day) * DAY_NS;
    this.#day(day).parts.push({
      identity,
      path,
      blocks: written.length,
      rowCount,
      startMinNs: midnight + BigInt(Math.min(...written.map(({ startMin }) => startMin))),
      startMaxNs: midnight + BigInt(Math.max(...written.map(({ startMax }) => startMax))),
    });
    return path;
  }

  /** A log file of each day the requests have, a block for each request. */
  addLog(requests: readonly OtlpRequest[], tenant: Tenant = DEFAULT_TENANT): string[] {
    return requests.flatMap((request) =>
      blocksOf(request, tenant).map(({ day, bytes }) => {
        const path = this.#newPath(day);
        const offset = 16;
        writeFileSync(path, Buffer.concat([Buffer.alloc(offset), bytes]));
        const { sizeBytes, rowCount, startMin, startMax } = readBlockHeader(bytes);
        this.#day(day).logBlocks.push({
          identity: newIdentity(),
          path,
          offset,
          sizeBytes,
          rowCount,
          startMin,
          startMax,
          tenant,
        });
        return path;
      }),
    );
  }

  get view(): ViewFiles {
    return this.viewOf(DEFAULT_TENANT);
  }

  /** Everything of the tenant, newest day first: parts that may hold something of it, log blocks that are its own. */
  viewOf(tenant: Tenant): ViewFiles {
    const days = [...this.#days].toSorted(([x], [y]) => y - x);
    const partitions = days.map(([day, { parts, logBlocks }]): PartitionView => {
      const own = logBlocks.filter((block) => block.tenant === tenant);
      return { day, path: this.#folder(day), parts, logBlocks: own };
    });
    return { partitions };
  }

  run(task: QueryTask, tenant: Tenant = DEFAULT_TENANT, cache: PartCache = this.cache): QueryResult {
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const view = this.viewOf(tenant);
    return runQuery(cache, { task, tenant, view, durationMaxMs: 60_000, cancelled });
  }

  /** Numbers (their last byte) of the traces a search finds, newest first. */
  search(query: Partial<TraceQuery>, tenant: Tenant = DEFAULT_TENANT): number[] {
    const result = this.run({ kind: 'search', query: { ...ANY_TRACE, ...query } }, tenant);
    if (result.kind !== 'hits') throw new Error(result.kind);
    return result.hits.map(({ traceId }) => traceId[15]!);
  }

  /** Span numbers (their last byte) of each trace found, in the order of the answer. */
  find(traceIds: readonly Uint8Array[], tenant: Tenant = DEFAULT_TENANT): { trace: number; spans: number[] }[] {
    const result = this.run({ kind: 'find', traceIds }, tenant);
    if (result.kind !== 'traces') throw new Error(result.kind);
    return result.traces.map(({ traceId, otlp }) => ({
      trace: traceId[15]!,
      spans: spansOf(decodeTraces(otlp)).map(({ spanId }) => spanId![7]!),
    }));
  }

  #day(day: number): { parts: ViewPart[]; logBlocks: (ViewLogBlock & { tenant: Tenant })[] } {
    let files = this.#days.get(day);
    if (files === undefined) this.#days.set(day, (files = { parts: [], logBlocks: [] }));
    return files;
  }

  #folder(day: number): string {
    return join(this.path, String(day));
  }

  #newPath(day: number): string {
    mkdirSync(this.#folder(day), { recursive: true });
    return join(this.#folder(day), String(++this.#files));
  }

  [Symbol.dispose](): void {
    this.cache.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Ids of the traces that a search finds, newest first. */
export function searchTraceIds(source: BlockSource, query: TraceQuery, deadline: Deadline): Uint8Array[] {
  return searchTraces(source, query, deadline).map(({ traceId }) => traceId);
}

export const ANY_TRACE: TraceQuery = {
  service: undefined,
  operation: undefined,
  tags: [],
  startMinNs: 0n,
  startMaxNs: 2n ** 63n,
  durationMinNs: undefined,
  durationMaxNs: undefined,
  limit: 100,
};

function blocksOf(request: OtlpRequest, tenant: Tenant): { day: number; bytes: Uint8Array; terms: TermSet }[] {
  const batch = batchOf(request);
  return [...rowsByDay(batch)].map(([day, rows]) => {
    const terms = new TermSet();
    const { rows: ordered } = regroupByTrace(batch, rows);
    return { day, bytes: encodeBlock(batch, ordered, { tenant, day, profile: 'merged', terms }), terms };
  });
}
