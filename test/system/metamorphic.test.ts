// P8 as a relation between stores: the same spans give the same answers, byte for byte, in whatever order they came and
// whatever was flushed, merged, restarted, restored, sent again or dropped of another day in between. On a real disk.
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { commitParts } from '../../src/index/catalog.ts';
import { mergeParts } from '../../src/part/merge-parts.ts';
import { DATA_FILE } from '../../src/part/part-writer.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { openPartitionFiles } from '../../src/partition/open-partition.ts';
import { livePart, partEntry } from '../../src/partition/part-set.ts';
import { partsPath } from '../../src/partition/partition-place.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomBytes, type Random } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { knownSpans, type KnownSpan } from '../support/search-oracle.ts';
import { Asker, type Questions } from '../support/store-answers.ts';
import { DAY_MS, memoryLog, openStore, TemporaryFolder } from '../storage/open-store.ts';
import { DAY_NS, NOON_NS } from '../storage/stored-spans.ts';

const TENANTS = [parseTenant('0', '0'), parseTenant('3', '4')];
const REQUESTS = 120;
const SEARCHES = 40;
const RUNS = 4;
const STEPS = 14;
/** The oldest span of the days asked about; what is dropped is older. */
const OLDEST_NS = NOON_NS - DAY_NS / 2n - 3n * DAY_NS;

interface Written {
  readonly tenant: Tenant;
  readonly body: Uint8Array;
}

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

/** One store and what can be done to it without changing an answer. */
class Subject {
  readonly path: string;
  readonly clock = new FakeClock();
  readonly #random: Random;
  readonly #sample: Sample;
  storage: Storage;

  constructor(path: string, sample: Sample, random: Random) {
    this.path = path;
    this.#sample = sample;
    this.#random = random;
    this.storage = this.#open();
  }

  readonly steps: Readonly<Record<string, () => Promise<void>>> = {
    flush: () => this.storage.forceFlush(),
    'send again': async () => {
      const { tenant, body } = this.#pick(this.#sample.requests);
      await this.storage.write(tenant, body.slice());
    },
    maintain: async () => {
      this.clock.advance(10_000);
      await this.storage.runMaintenance();
    },
    'merge a day': async () => this.storage.forceMerge(this.#day()),
    'merge all': () => this.storage.forceMerge(''),
    'merge any parts': async () => {
      await this.storage.close();
      this.#mergeAnyParts(join(this.path, 'partitions', this.#pick(readdirSync(join(this.path, 'partitions')))));
      this.storage = this.#open();
    },
    restart: async () => {
      await this.storage.close();
      this.storage = this.#open();
    },
    die: async () => {
      this.storage.abandon();
      this.storage = this.#open();
    },
    restore: async () => {
      const day = this.#day();
      const [snapshot = ''] = await this.storage.createSnapshots(day);
      await this.storage.detachPartition(day);
      const partition = join(this.path, 'partitions', day);
      rmSync(partition, { recursive: true });
      cpSync(snapshot, partition, { recursive: true });
      await this.storage.attachPartition(day);
      await this.storage.deleteSnapshot(snapshot);
    },
    'drop another day': async () => {
      // Two days on, and the day six days ago is wholly older than seven days.
      this.clock.set(Date.UTC(2026, 10, 22, 12) + 10_000);
      await this.storage.runMaintenance();
      expect(this.storage.listPartitions()).not.toContain('20261114');
    },
  };

  /** Takes some of the parts, not those a plan would, and makes one of them. */
  #mergeAnyParts(path: string): void {
    const quarantinePath = join(this.path, 'quarantine');
    const day = Date.parse(`${/\d{8}$/.exec(path)![0].replace(/(....)(..)(..)/, '$1-$2-$3')}T00:00:00Z`) / DAY_MS;
    const place = { path, day, disk: nodeDisk, quarantinePath, logger: memoryLog() };
    const { env, parts } = openPartitionFiles(place);
    try {
      const chosen = parts.filter(() => this.#random() < 0.5);
      if (chosen.length === 0) return;
      const id = newIdentity();
      const partIds = chosen.map(({ entry }) => entry.id);
      const job = {
        inputs: chosen.map((part) => ({ path: join(part.path, DATA_FILE), blocks: part.metadata.blocks })),
        partPath: join(partsPath(path), id),
        origin: { logSeqMax: Math.max(...chosen.map(({ metadata }) => metadata.origin.logSeqMax)), partIds },
        rollups: { kind: 'sum', parts: chosen.map((part) => part.path), isWholeDay: false },
        profile: 'merged',
        day,
        quarantinePath,
      } as const;
      const { part } = mergeParts(nodeDisk, job);
      const added = livePart(place, { entry: partEntry(id, 2, part!), metadata: part! });
      commitParts(env, { add: [added.entry], remove: partIds });
    } finally {
      env.close();
    }
  }

  #open(): Storage {
    const storage = openStore(this.path, { clock: this.clock });
    expect(storage.report.damaged).toEqual([]);
    return storage;
  }

  #day(): string {
    return this.#pick(this.storage.listPartitions());
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

test('no order of arrival and no schedule of flushes, merges, restarts and restores changes an answer', async () => {
  const seed = printedSeed('metamorphic');
  const random = createRandom(seed);
  const sample = makeSample(random);
  using plainFolder = new TemporaryFolder();
  using plainAsker = new Asker();
  const plain = openStore(plainFolder.path);
  for (const { tenant, body } of [...sample.requests, ...sample.bygone]) await plain.write(tenant, body.slice());
  const expected = plainAsker.answers(plain, sample.questions);
  await plain.close();

  for (let run = 0; run < RUNS; run++) {
    using folder = new TemporaryFolder();
    using asker = new Asker();
    const subject = new Subject(folder.path, sample, random);
    const done: string[] = [];
    const take = async (name: string): Promise<void> => {
      done.push(name);
      await subject.steps[name]!();
    };
    for (const { tenant, body } of shuffled([...sample.requests, ...sample.bygone], random)) {
      await subject.storage.write(tenant, body.slice());
      if (random() < 0.12) await take('flush');
      else if (random() < 0.02) await take(random() < 0.5 ? 'merge any parts' : 'maintain');
    }
    for (let step = 0; step < STEPS; step++) {
      if (step > 0) await take(Object.keys(subject.steps)[Math.floor(random() * Object.keys(subject.steps).length)]!);
      const answers = asker.answers(subject.storage, sample.questions);
      const differing = [...expected].filter(([question, answer]) => answers.get(question) !== answer);
      const where = `SEED=${seed}, run ${run}: ${done.join(', ')}`;
      expect([...answers.keys()], where).toEqual([...expected.keys()]);
      expect(
        differing.map(([question]) => [question, answers.get(question)]),
        where,
      ).toEqual([]);
      expect([...asker.warnings], where).toEqual([]);
    }
    await subject.storage.close();
  }
}, 600_000);
