// Answers are exact and deterministic (P8): random searches over random spans give exactly the traces that plain loops over the
// same spans give, in the same order, wherever the spans lie; and each trace keeps its bytes. On the real engine in this process.
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery, type QueryResult, type QueryTask } from '../../src/query/run-query.ts';
import type { ViewFilter } from '../../src/partition/view.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { bucketOf } from '../../src/trace/latency-buckets.ts';
import { parseFilterJson } from '../../src/api/jaeger/parse-filter.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { callSeriesNaively, dependenciesNaively, toCallSeries } from '../support/calls-oracle.ts';
import { meetsFilter } from '../support/filter-oracle.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { randomFilter } from '../support/random-filter.ts';
import { createRandom, printedSeed, type Random } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { knownSpans, operationOf, searchNaively, serviceOf, type KnownSpan } from '../support/search-oracle.ts';

const tenant = parseTenant('3', '4');
const stranger = parseTenant('4', '3');
/** Where FakeClock stands. */
const noonNs = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
const dayNs = 86_400_000_000_000n;
/** Searches and filters asked of each data set at each stage of its life; fewer where plain loops take long. */
const perStage = { searches: 145, filters: 137 };
const perBigStage = { searches: 30, filters: 8 };
const pairsMin = 10_000;

/** A store with what was written into it, and a way to ask both. */
class Pair {
  readonly cache = new PartCache(nodeDisk);
  readonly spans: KnownSpan[] = [];
  storage: Storage;

  constructor(path: string) {
    this.storage = openStore(path);
  }

  async write(request: OtlpRequest): Promise<void> {
    await this.storage.write(tenant, encodeRequest(request));
    this.spans.push(...knownSpans(request));
  }

  /** A query as the reader of a node runs it. */
  run(task: QueryTask, filter: ViewFilter): QueryResult {
    const view = this.storage.takeView(tenant, filter);
    try {
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const result = runQuery(this.cache, { task, tenant, view, durationMaxMs: 60_000, cancelled });
      expect(result.warnings).toEqual([]);
      return result;
    } finally {
      this.storage.releaseView(view.id);
    }
  }

  searchIds(query: TraceQuery): string[] {
    const { startMinNs, startMaxNs } = query;
    const result = this.run({ kind: 'search', query }, { startMinNs, startMaxNs });
    if (result.kind !== 'hits') throw new Error(result.kind);
    return result.hits.map(({ traceId: id }) => Buffer.from(id).toString('hex'));
  }

  /** Every trace by its id, as hex. */
  traces(): Map<string, string> {
    const traceIds = [...new Set(this.spans.map(({ traceId }) => traceId))]
      .sort()
      .map((id) => new Uint8Array(Buffer.from(id, 'hex')));
    const result = this.run({ kind: 'find', traceIds }, { traceIds });
    if (result.kind !== 'traces') throw new Error(result.kind);
    return new Map(
      result.traces.map(({ traceId, otlp }) => [
        Buffer.from(traceId).toString('hex'),
        Buffer.from(otlp).toString('hex'),
      ]),
    );
  }
}

function show(query: object): string {
  return JSON.stringify(query, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
}

let pairs = 0;

interface Round {
  readonly stage: string;
  readonly count: number;
}

function compareBoth(pair: Pair, random: Random, of: { stage: string; searches: number; filters: number }): number {
  const { stage, searches, filters } = of;
  return (
    compareSearches(pair, random, { stage, count: searches }) + compareFilters(pair, random, { stage, count: filters })
  );
}

/** The same with filters, which travel as JSON, like a client's. */
function compareFilters(pair: Pair, random: Random, { stage, count }: Round): number {
  let found = 0;
  for (let i = 0; i < count; i++) {
    const wire = randomFilter(random, pair.spans);
    const { startMinNs, startMaxNs, limit } = randomQuery(random, pair.spans);
    const none = {
      service: undefined,
      operation: undefined,
      tags: [],
      durationMinNs: undefined,
      durationMaxNs: undefined,
    };
    const query = { ...none, startMinNs, startMaxNs, limit, filter: parseFilterJson(JSON.stringify(wire)) };
    const expected = searchNaively(pair.spans, query, (known) => meetsFilter(known, wire));
    expect(pair.searchIds(query), `${stage}: ${JSON.stringify(wire)} ${show(query)}`).toEqual(expected);
    found += Number(expected.length > 0);
    pairs++;
  }
  return found;
}

/** Asks both and compares; returns how many searches found something. */
function compareSearches(pair: Pair, random: Random, { stage, count }: Round): number {
  let found = 0;
  for (let i = 0; i < count; i++) {
    const query = randomQuery(random, pair.spans);
    const expected = searchNaively(pair.spans, query);
    expect(pair.searchIds(query), `${stage}: ${show(query)}`).toEqual(expected);
    found += Number(expected.length > 0);
    pairs++;
  }
  return found;
}

/** Compares searches, names and dependencies. */
function compare(pair: Pair, random: Random, stage: string): number {
  compareNames(pair, stage);
  compareDependencies(pair, random, stage);
  return compareBoth(pair, random, { stage, ...perStage });
}

function compareNames({ storage, spans }: Pair, stage: string): void {
  const services = [...new Set(spans.map(serviceOf))].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(storage.listServices(tenant).items, stage).toEqual(services);
  for (const service of services) {
    const mine = spans.filter((known) => serviceOf(known) === service);
    const expected = [...new Set(mine.map((known) => JSON.stringify([operationOf(known), known.span.kind])))].sort();
    const listed = storage.listOperations(tenant, service).items.map(({ name, kind }) => JSON.stringify([name, kind]));
    expect(listed.toSorted(), `${stage}: operations of ${service}`).toEqual(expected);
  }
  expect(storage.listServices(stranger).items, stage).toEqual(['stranger']);
}

function compareDependencies(pair: Pair, random: Random, stage: string): void {
  for (let i = 0; i < 3; i++) {
    const endNs = noonNs - (i === 0 ? -dayNs : dayNs * BigInt(Math.floor(random() * 3)));
    const startNs = endNs - (i === 0 ? 6n * dayNs : dayNs);
    const result = pair.run({ kind: 'dependencies', startNs, endNs }, {});
    if (result.kind !== 'dependencies') throw new Error(result.kind);
    expect(result.dependencies, stage).toEqual(dependenciesNaively(pair.spans, startNs, endNs));
    compareSeries(pair, { startNs, endNs }, stage);
  }
}

function compareSeries(pair: Pair, window: { startNs: bigint; endNs: bigint }, stage: string): void {
  const services = [...new Set(pair.spans.map(serviceOf))];
  for (const kinds of [[], [2], [0, 3]]) {
    for (const isByOperation of [false, true]) {
      const query = { ...window, services, kinds, isByOperation };
      const result = pair.run({ kind: 'metrics', query }, {});
      if (result.kind !== 'metrics') throw new Error(result.kind);
      expect(result.series, stage).toEqual(toCallSeries(callSeriesNaively(pair.spans, query), bucketOf));
    }
  }
}

describe('random searches over random spans', () => {
  const seed = printedSeed('search oracle');
  test.each([0, 1, 2, 3, 4, 5])(
    'data set %i: exactly what plain loops find, wherever the spans lie',
    { timeout: 180_000 },
    async (set) => {
      const random = createRandom(seed + set);
      using folder = new TemporaryFolder();
      const pair = new Pair(folder.path);
      const requests = Array.from({ length: 40 }, () => randomSpans(random, noonNs));
      const service = { key: 'service.name', value: { stringValue: 'stranger' } };
      const [first] = knownSpans(requests[0]!).length > 0 ? knownSpans(requests[0]!) : knownSpans(requests[1]!);
      await pair.storage.write(
        stranger,
        encodeRequest({
          resourceSpans: [{ resource: { attributes: [service] }, scopeSpans: [{ spans: [first!.span] }] }],
        }),
      );

      for (const request of requests.slice(0, 15)) await pair.write(request);
      let found = compare(pair, random, 'in the log');
      await pair.storage.forceFlush();
      for (const request of requests.slice(15, 30)) await pair.write(request);
      found += compare(pair, random, 'in parts and the log');
      await pair.storage.forceMerge('');
      for (const request of requests.slice(30)) await pair.write(request);
      // Retries: equal spans again, which must change nothing.
      for (const request of requests.slice(10, 35)) await pair.write(request);
      found += compare(pair, random, 'in merged parts and the log');
      const bytes = pair.traces();

      await pair.storage.forceFlush();
      expect(pair.traces()).toEqual(bytes);
      found += compare(pair, random, 'in parts');
      await pair.storage.forceMerge('');
      expect(pair.traces()).toEqual(bytes);
      found += compare(pair, random, 'in merged parts');
      await pair.storage.close();
      pair.storage = openStore(folder.path);
      expect(pair.traces()).toEqual(bytes);
      found += compare(pair, random, 'opened again');
      await pair.storage.close();
      pair.cache.close();
      // A comparison of nothing with nothing shows nothing.
      expect(found).toBeGreaterThan((perStage.searches + perStage.filters) * 6 * 0.4);
    },
  );

  test(
    'many blocks: the newest are found, whatever blocks and days they are spread over',
    { timeout: 180_000 },
    async () => {
      const random = createRandom(seed + 100);
      using folder = new TemporaryFolder();
      const pair = new Pair(folder.path);
      const requests = Array.from({ length: 9_000 }, () => randomSpans(random, noonNs, 8_000));
      const writeAll = async (some: readonly OtlpRequest[]): Promise<void> => {
        // Together, so that they share group commits.
        for (let at = 0; at < some.length; at += 200)
          await Promise.all(some.slice(at, at + 200).map((one) => pair.write(one)));
      };
      for (let at = 0; at < 8_000; at += 1_000) {
        await writeAll(requests.slice(at, at + 1_000));
        await pair.storage.forceFlush();
      }
      expect((await pair.storage.stats()).blocks).toBeGreaterThan(6);
      let found = compareBoth(pair, random, { stage: 'in parts', ...perBigStage });
      await writeAll(requests.slice(8_000));
      found += compareBoth(pair, random, { stage: 'in parts and the log', ...perBigStage });
      await pair.storage.forceMerge('');
      found += compareBoth(pair, random, { stage: 'in merged parts', ...perBigStage });
      await pair.storage.close();
      pair.cache.close();
      expect(found).toBeGreaterThan((perBigStage.searches + perBigStage.filters) * 3 * 0.4);
    },
  );

  test('pairs of a data set and a query were enough', () => {
    process.stdout.write(`search oracle: ${pairs} (data set, query) pairs\n`);
    expect(pairs).toBeGreaterThanOrEqual(pairsMin);
  });
});
