// Answers are exact and deterministic (P8): random searches over random spans give exactly the traces that plain loops over the
// same spans give, in the same order, wherever the spans lie; and each trace keeps its bytes. On the real engine in this process,
// or (project cluster-rest) on a cluster of processes behind HAProxy.
import { describe, expect, test } from 'vitest';
import { bucketOf } from '../../src/trace/latency-buckets.ts';
import { encodeCall } from '../../src/api/jaeger/expression-messages.ts';
import { parseFilterJson } from '../../src/api/jaeger/parse-filter.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { LocalStore, type AskedStore } from '../support/asked-store.ts';
import { isThroughCluster } from '../support/cluster-front.ts';
import { ClusterStore } from '../support/cluster-store.ts';
import { callSeriesNaively, dependenciesNaively, toCallSeries } from '../support/calls-oracle.ts';
import { meetsFilter, type WireCall } from '../support/filter-oracle.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { randomFilter } from '../support/random-filter.ts';
import { createRandom, printedSeed, type Random } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { knownSpans, operationOf, searchNaively, serviceOf, type KnownSpan } from '../support/search-oracle.ts';

const tenant = parseTenant('3', '4');
const stranger = parseTenant('4', '3');
const dayNs = 86_400_000_000_000n;
/** Of the day of FakeClock; of yesterday, for processes. */
const noonNs = isThroughCluster
  ? ((BigInt(Date.now()) * 1_000_000n) / dayNs) * dayNs - dayNs / 2n
  : BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
/** Searches and filters asked of each data set at each stage of its life; fewer where plain loops take long. */
const perStage = { searches: 145, filters: 137 };
const perBigStage = { searches: 30, filters: 8 };
const pairsMin = 10_000;

/** A store with what was written into it, and a way to ask both. */
class Pair implements AsyncDisposable {
  readonly spans: KnownSpan[] = [];
  readonly store: AskedStore;

  private constructor(store: AskedStore) {
    this.store = store;
  }

  static async open(path: string): Promise<Pair> {
    return new Pair(isThroughCluster ? await ClusterStore.open() : new LocalStore(path));
  }

  async write(request: OtlpRequest): Promise<void> {
    await this.store.write(tenant, encodeRequest(request));
    this.spans.push(...knownSpans(request));
  }

  searchIds(query: TraceQuery): Promise<string[]> {
    return this.store.searchIds(tenant, query);
  }

  /** Every trace by its id, as hex. */
  traces(): Promise<Map<string, string>> {
    return this.store.findTraces(tenant, [...new Set(this.spans.map(({ traceId }) => traceId))].sort());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
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

async function compareBoth(
  pair: Pair,
  random: Random,
  of: { stage: string; searches: number; filters: number },
): Promise<number> {
  const { stage, searches, filters } = of;
  return (
    (await compareSearches(pair, random, { stage, count: searches })) +
    (await compareFilters(pair, random, { stage, count: filters }))
  );
}

/** As a client's JSON, and as it goes from node to node. */
function filterOf(wire: WireCall): Pick<TraceQuery, 'filter' | 'filterMessage'> {
  return { filter: parseFilterJson(JSON.stringify(wire)), filterMessage: encodeCall(wire) };
}

/** The same with filters, which travel as JSON, like a client's. */
async function compareFilters(pair: Pair, random: Random, { stage, count }: Round): Promise<number> {
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
    const query = { ...none, startMinNs, startMaxNs, limit, ...filterOf(wire) };
    const expected = searchNaively(pair.spans, query, (known) => meetsFilter(known, wire));
    expect(await pair.searchIds(query), `${stage}: ${JSON.stringify(wire)} ${show(query)}`).toEqual(expected);
    found += Number(expected.length > 0);
    pairs++;
  }
  return found;
}

/** Asks both and compares; returns how many searches found something. */
async function compareSearches(pair: Pair, random: Random, { stage, count }: Round): Promise<number> {
  let found = 0;
  for (let i = 0; i < count; i++) {
    const query = randomQuery(random, pair.spans);
    const expected = searchNaively(pair.spans, query);
    expect(await pair.searchIds(query), `${stage}: ${show(query)}`).toEqual(expected);
    found += Number(expected.length > 0);
    pairs++;
  }
  return found;
}

/** Compares searches, names and dependencies. */
async function compare(pair: Pair, random: Random, stage: string): Promise<number> {
  await compareNames(pair, stage);
  await compareDependencies(pair, random, stage);
  return compareBoth(pair, random, { stage, ...perStage });
}

async function compareNames({ store, spans }: Pair, stage: string): Promise<void> {
  const services = [...new Set(spans.map(serviceOf))].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(await store.listServices(tenant), stage).toEqual(services);
  for (const service of services) {
    const mine = spans.filter((known) => serviceOf(known) === service);
    const expected = [...new Set(mine.map((known) => JSON.stringify([operationOf(known), known.span.kind])))].sort();
    const operations = await store.listOperations(tenant, service);
    const listed = operations.map(({ name, kind }) => JSON.stringify([name, kind]));
    expect(listed.toSorted(), `${stage}: operations of ${service}`).toEqual(expected);
  }
  expect(await store.listServices(stranger), stage).toEqual(['stranger']);
}

async function compareDependencies(pair: Pair, random: Random, stage: string): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const endNs = noonNs - (i === 0 ? -dayNs : dayNs * BigInt(Math.floor(random() * 3)));
    const startNs = endNs - (i === 0 ? 6n * dayNs : dayNs);
    expect(await pair.store.listDependencies(tenant, startNs, endNs), stage).toEqual(
      dependenciesNaively(pair.spans, startNs, endNs),
    );
    await compareSeries(pair, { startNs, endNs }, stage);
  }
}

async function compareSeries(pair: Pair, window: { startNs: bigint; endNs: bigint }, stage: string): Promise<void> {
  const services = [...new Set(pair.spans.map(serviceOf))];
  for (const kinds of [[], [2], [0, 3]]) {
    for (const isByOperation of [false, true]) {
      const query = { ...window, services, kinds, isByOperation };
      const expected = toCallSeries(callSeriesNaively(pair.spans, query), bucketOf);
      expect(await pair.store.listCallSeries(tenant, query), stage).toEqual(expected);
    }
  }
}

describe('random searches over random spans', () => {
  const seed = printedSeed('search oracle');
  test.each([0, 1, 2, 3, 4, 5])(
    'data set %i: exactly what plain loops find, wherever the spans lie',
    { timeout: 600_000 },
    async (set) => {
      const random = createRandom(seed + set);
      using folder = new TemporaryFolder();
      await using pair = await Pair.open(folder.path);
      const requests = Array.from({ length: 40 }, () => randomSpans(random, noonNs));
      const service = { key: 'service.name', value: { stringValue: 'stranger' } };
      const [first] = knownSpans(requests[0]!).length > 0 ? knownSpans(requests[0]!) : knownSpans(requests[1]!);
      await pair.store.write(
        stranger,
        encodeRequest({
          resourceSpans: [{ resource: { attributes: [service] }, scopeSpans: [{ spans: [first!.span] }] }],
        }),
      );

      for (const request of requests.slice(0, 15)) await pair.write(request);
      let found = await compare(pair, random, 'in the log');
      await pair.store.flush();
      for (const request of requests.slice(15, 30)) await pair.write(request);
      found += await compare(pair, random, 'in parts and the log');
      await pair.store.merge();
      for (const request of requests.slice(30)) await pair.write(request);
      // Retries: equal spans again, which must change nothing.
      for (const request of requests.slice(10, 35)) await pair.write(request);
      found += await compare(pair, random, 'in merged parts and the log');
      const bytes = await pair.traces();

      await pair.store.flush();
      expect(await pair.traces()).toEqual(bytes);
      found += await compare(pair, random, 'in parts');
      await pair.store.merge();
      expect(await pair.traces()).toEqual(bytes);
      found += await compare(pair, random, 'in merged parts');
      await pair.store.reopen();
      expect(await pair.traces()).toEqual(bytes);
      found += await compare(pair, random, 'opened again');
      // A comparison of nothing with nothing shows nothing.
      expect(found).toBeGreaterThan((perStage.searches + perStage.filters) * 6 * 0.4);
    },
  );

  test(
    'many blocks: the newest are found, whatever blocks and days they are spread over',
    { timeout: 600_000 },
    async () => {
      const random = createRandom(seed + 100);
      using folder = new TemporaryFolder();
      await using pair = await Pair.open(folder.path);
      const requests = Array.from({ length: 9_000 }, () => randomSpans(random, noonNs, 8_000));
      const writeAll = async (some: readonly OtlpRequest[]): Promise<void> => {
        // Together, so that they share group commits.
        for (let at = 0; at < some.length; at += 200)
          await Promise.all(some.slice(at, at + 200).map((one) => pair.write(one)));
      };
      for (let at = 0; at < 8_000; at += 1_000) {
        await writeAll(requests.slice(at, at + 1_000));
        await pair.store.flush();
      }
      expect(await pair.store.countBlocks()).toBeGreaterThan(6);
      let found = await compareBoth(pair, random, { stage: 'in parts', ...perBigStage });
      await writeAll(requests.slice(8_000));
      found += await compareBoth(pair, random, { stage: 'in parts and the log', ...perBigStage });
      await pair.store.merge();
      found += await compareBoth(pair, random, { stage: 'in merged parts', ...perBigStage });
      expect(found).toBeGreaterThan((perBigStage.searches + perBigStage.filters) * 3 * 0.4);
    },
  );

  test('pairs of a data set and a query were enough', () => {
    process.stdout.write(`search oracle: ${pairs} (data set, query) pairs\n`);
    expect(pairs).toBeGreaterThanOrEqual(pairsMin);
  });
});
