// P8 as a relation between stores: the same spans give the same answers, byte for byte, in whatever order they came and
// whatever was flushed, merged, restarted, restored, sent again or dropped of another day in between. On a real disk, or (project
// cluster-rest) on a cluster of processes behind HAProxy, compared with one node.
import { expect, test } from 'vitest';
import { parseTenant } from '../../src/trace/tenant.ts';
import { isThroughCluster } from '../support/cluster-front.ts';
import { ClusterSubject, PlainSubject } from '../support/cluster-subject.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LocalSubject, type Subject, type Written } from '../support/local-subject.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomBytes, type Random } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { knownSpans, type KnownSpan } from '../support/search-oracle.ts';
import type { Questions } from '../support/store-answers.ts';

const TENANTS = [parseTenant('0', '0'), parseTenant('3', '4')];
const REQUESTS = 120;
const SEARCHES = 40;
const RUNS = isThroughCluster ? 2 : 4;
const STEPS = 14;
const DAY_NS = 86_400_000_000_000n;
/** Of the day of FakeClock; of yesterday, for processes. */
const NOON_NS = isThroughCluster
  ? ((BigInt(Date.now()) * 1_000_000n) / DAY_NS) * DAY_NS - DAY_NS / 2n
  : BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
/** The oldest span of the days asked about; what is dropped is older. */
const OLDEST_NS = NOON_NS - DAY_NS / 2n - 3n * DAY_NS;

interface Sample {
  readonly requests: readonly Written[];
  /** Of a day that nobody asks about, six days ago: it may go. */
  readonly bygone: readonly Written[];
  readonly questions: Questions;
}

function makeSample(random: Random): Sample {
  const requests: Written[] = [];
  const bygone: Written[] = [];
  const known: KnownSpan[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const request = randomSpans(random, NOON_NS, 50);
    const tenant = TENANTS[random() < 0.75 ? 0 : 1]!;
    requests.push({ tenant, body: encodeRequest(request) });
    known.push(...knownSpans(request));
    if (random() < 0.1) requests.push({ tenant, body: encodeRequest(request) });
    if (random() < 0.2) bygone.push({ tenant, body: encodeRequest(moved(random, request)) });
  }
  const searches = Array.from({ length: SEARCHES }, () => randomQuery(random, known)).map((query) => ({
    ...query,
    startMinNs: query.startMinNs < OLDEST_NS ? OLDEST_NS : query.startMinNs,
  }));
  const windows = [
    [OLDEST_NS, NOON_NS + DAY_NS],
    [NOON_NS - DAY_NS, NOON_NS - DAY_NS / 2n],
    [NOON_NS - DAY_NS / 2n, NOON_NS + 60_000_000_000n],
  ] as const;
  const traceIds = [...new Set(known.map(({ traceId }) => traceId))].sort();
  return { requests, bygone, questions: { tenants: TENANTS, traceIds, searches, windows } };
}

/** The same names on another day, in traces of their own. */
function moved(random: Random, request: OtlpRequest): OtlpRequest {
  const copy = structuredClone(request);
  for (const { scopeSpans = [] } of copy.resourceSpans ?? []) {
    for (const { spans = [] } of scopeSpans) {
      for (const span of spans) {
        span.traceId = randomBytes(random, 16);
        span.startTimeUnixNano = OLDEST_NS - 2n * DAY_NS - 1n;
        span.endTimeUnixNano = OLDEST_NS - 2n * DAY_NS;
      }
    }
  }
  return copy;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function openPlain(): Subject {
  const clock = new FakeClock(Number(NOON_NS / 1_000_000n));
  return isThroughCluster ? new PlainSubject(clock) : new LocalSubject([], Math.random, clock);
}

async function openSubject(requests: readonly Written[], random: Random): Promise<Subject> {
  return isThroughCluster ? await ClusterSubject.open(requests, random) : new LocalSubject(requests, random);
}

test('no order of arrival and no schedule of flushes, merges, restarts and restores changes an answer', async () => {
  const seed = printedSeed('metamorphic');
  const random = createRandom(seed);
  const sample = makeSample(random);
  const all = [...sample.requests, ...sample.bygone];
  // In this process, whatever it is compared with.
  await using plain = openPlain();
  for (const { tenant, body } of all) await plain.write(tenant, body.slice());
  const expected = await plain.answers(sample.questions);

  for (let run = 0; run < RUNS; run++) {
    await using subject = await openSubject(sample.requests, random);
    const names = Object.keys(subject.steps);
    const done: string[] = [];
    const take = async (name: string): Promise<void> => {
      done.push(name);
      await subject.steps[name]!();
    };
    for (const { tenant, body } of shuffled(all, random)) {
      await subject.write(tenant, body.slice());
      if (random() < 0.12) await take('flush');
      else if (random() < 0.02) await take(names[Math.floor(random() * names.length)]!);
    }
    for (let step = 0; step < STEPS; step++) {
      if (step > 0) await take(names[Math.floor(random() * names.length)]!);
      const answers = await subject.answers(sample.questions);
      const differing = [...expected].filter(([question, answer]) => answers.get(question) !== answer);
      const where = `SEED=${seed}, run ${run}: ${done.join(', ')}`;
      expect([...answers.keys()], where).toEqual([...expected.keys()]);
      expect(
        differing.map(([question]) => [question, answers.get(question)]),
        where,
      ).toEqual([]);
    }
  }
}, 1_200_000);
