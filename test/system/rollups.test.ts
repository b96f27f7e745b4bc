// Roll-ups are exact: whatever is written, flushed, merged, retried, restarted, late or out of order, dependencies and the
// Monitor's series are those of plain loops over the spans. On the real engine in this process.
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery, type QueryTask } from '../../src/query/run-query.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { bucketOf } from '../../src/trace/latency-buckets.ts';
import { parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { attribute, idOf } from '../block/scanned.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { callSeriesNaively, dependenciesNaively, toCallSeries } from '../support/calls-oracle.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, type Random } from '../support/random-request.ts';
import { knownSpans, type KnownSpan } from '../support/search-oracle.ts';

const TENANTS = [parseTenant('1', '2'), parseTenant('2', '1')];
const SERVICES = ['cart', 'a', 'žluť', ''];
const OPERATIONS = ['GET /', 'GET /cart', ''];
const MINUTE_NS = 60_000_000_000n;
const DAY_NS = 1440n * MINUTE_NS;
const MIDNIGHT_NS = BigInt(Date.UTC(2026, 10, 20)) * 1_000_000n;
const FLUSH_MS = 10_000;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

/** Few traces, ids, parents and times, so that all of them meet again and again, on both sides of midnight. */
function randomSpan(random: Random): OtlpSpan {
  const number = (below: number): number => Math.floor(random() * below);
  const startTimeUnixNano = MIDNIGHT_NS + BigInt(number(5) - 2) * MINUTE_NS + BigInt(pick(random, [0, 1, 59]));
  const parent = number(12);
  return {
    traceId: idOf(1 + number(6), 16),
    spanId: idOf(1 + number(10), 8),
    ...(parent === 0 ? {} : { parentSpanId: idOf(parent, 8) }),
    name: pick(random, OPERATIONS),
    kind: number(3),
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + pick(random, [-1n, 0n, 1_000n, 1_500n, 3_600_000_000_000n]),
    status: { code: pick(random, [0, 1, 2]) },
    attributes: random() < 0.2 ? [attribute('version', 'b')] : [],
  };
}

function randomRequest(random: Random): OtlpRequest {
  return {
    resourceSpans: Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
      resource: { attributes: [attribute('service.name', pick(random, SERVICES))] },
      scopeSpans: [{ spans: Array.from({ length: 1 + Math.floor(random() * 5) }, () => randomSpan(random)) }],
    })),
  };
}

/** A store, what was written into it by tenant, and the steps it goes through. */
class Run implements AsyncDisposable {
  readonly #random: Random;
  readonly #folder = new TemporaryFolder();
  readonly #clock = new FakeClock();
  readonly #cache = new PartCache(nodeDisk);
  readonly #written: { readonly tenant: Tenant; readonly request: OtlpRequest }[] = [];
  readonly steps: string[] = [];
  #storage: Storage;

  constructor(random: Random) {
    this.#random = random;
    this.#storage = this.#open();
  }

  get path(): string {
    return this.#folder.path;
  }

  #open(): Storage {
    return openStore(this.#folder.path, { clock: this.#clock, flushIntervalMs: FLUSH_MS });
  }

  async step(): Promise<void> {
    const random = this.#random;
    const name = pick(random, [
      'write',
      'write',
      'write',
      'retry',
      'flush',
      'flush',
      'tick',
      'tick',
      'merge',
      'restart',
    ]);
    this.steps.push(name);
    if (name === 'write') await this.write(pick(random, TENANTS), randomRequest(random));
    else if (name === 'retry' && this.#written.length > 0) {
      const { tenant, request } = pick(random, this.#written);
      await this.write(tenant, request);
    } else if (name === 'flush') await this.#storage.forceFlush();
    else if (name === 'tick') await this.tick();
    else if (name === 'merge' && random() < 0.3) await this.#storage.forceMerge('');
    else if (name === 'restart') await this.restart();
  }

  async write(tenant: Tenant, request: OtlpRequest): Promise<void> {
    await this.#storage.write(tenant, encodeRequest(request));
    this.#written.push({ tenant, request });
  }

  async flush(): Promise<void> {
    await this.#storage.forceFlush();
  }

  async merge(): Promise<void> {
    await this.#storage.forceMerge('');
  }

  async restart(): Promise<void> {
    await this.close();
    this.open();
  }

  async close(): Promise<void> {
    await this.#storage.close();
  }

  open(): void {
    this.#storage = this.#open();
  }

  /** What is due by the clock: a flush, and merges of four parts of a size. */
  async tick(): Promise<void> {
    this.#clock.advance(FLUSH_MS);
    await this.#storage.runMaintenance();
  }

  /** What the answers compared last were said to lack. */
  readonly warnings = new Set<string>();

  /** Asks every tenant for everything in a random window and compares; returns how many calls there were. */
  compare(): number {
    const startNs = MIDNIGHT_NS - pick(this.#random, [DAY_NS, MINUTE_NS, 0n]);
    return this.#compare({ startNs, endNs: MIDNIGHT_NS + pick(this.#random, [DAY_NS, 2n * MINUTE_NS, 0n]) });
  }

  /** Both days, with calls in them; returns the warnings. */
  compareAll(): string[] {
    expect(this.#compare({ startNs: MIDNIGHT_NS - DAY_NS, endNs: MIDNIGHT_NS + DAY_NS })).toBeGreaterThan(0);
    return [...this.warnings];
  }

  #compare(window: { startNs: bigint; endNs: bigint }): number {
    this.warnings.clear();
    let calls = 0;
    for (const tenant of TENANTS) {
      const spans = this.#written.filter((one) => one.tenant === tenant).flatMap(({ request }) => knownSpans(request));
      calls += this.#compareTenant(tenant, spans, window);
    }
    return calls;
  }

  #compareTenant(tenant: Tenant, spans: readonly KnownSpan[], window: { startNs: bigint; endNs: bigint }): number {
    const { startNs, endNs } = window;
    const stage = this.steps.join(' ');
    const links = dependenciesNaively(spans, startNs, endNs);
    expect(this.#ask(tenant, { kind: 'dependencies', startNs, endNs }), stage).toEqual({
      kind: 'dependencies',
      dependencies: links,
    });
    for (const isByOperation of [true, false]) {
      const kinds = pick(this.#random, [[], [1, 2]]);
      const query = { ...window, services: ['cart', 'a', 'empty-service-name'], kinds, isByOperation };
      const series = toCallSeries(callSeriesNaively(spans, query), bucketOf);
      expect(this.#ask(tenant, { kind: 'metrics', query }), stage).toEqual({ kind: 'metrics', series });
    }
    return links.reduce((sum, { callCount }) => sum + callCount, 0);
  }

  #ask(tenant: Tenant, task: QueryTask): object {
    const view = this.#storage.takeView(tenant, {});
    try {
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const { warnings, damaged, ...answer } = runQuery(this.#cache, {
        task,
        tenant,
        view,
        durationMaxMs: 60_000,
        cancelled,
      });
      expect(damaged).toEqual([]);
      for (const warning of warnings) this.warnings.add(warning);
      return answer;
    } finally {
      this.#storage.releaseView(view.id);
    }
  }

  /** Every file of this name in parts. */
  partFiles(name: string): string[] {
    return this.partitionFiles(`/${name}`).filter((path) => path.includes('/parts/'));
  }

  /** Every file of a partition whose path ends so. */
  partitionFiles(end: string): string[] {
    const partitions = join(this.path, 'partitions');
    const paths = readdirSync(partitions, { recursive: true, encoding: 'utf8' });
    return paths.filter((path) => path.endsWith(end)).map((path) => join(partitions, path));
  }

  forgetOpenFiles(): void {
    this.#cache.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage.close();
    this.#cache.close();
    this.#folder[Symbol.dispose]();
  }
}

describe('random schedules', () => {
  const seed = printedSeed('roll-ups');
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('schedule %i', { timeout: 60_000 }, async (number) => {
    await using run = new Run(createRandom(seed + number));
    let calls = 0;
    for (let step = 0; step < 60; step++) {
      await run.step();
      calls += run.compare();
      // They would say that spans were counted instead.
      expect([...run.warnings]).toEqual([]);
    }
    // A comparison of nothing with nothing shows nothing.
    expect(calls).toBeGreaterThan(0);
  });
});

/** A run with several parts of two days and something in the log. */
async function runWithParts(random: Random): Promise<Run> {
  const run = new Run(random);
  for (let i = 0; i < 13; i++) {
    await run.write(TENANTS[i % 2]!, randomRequest(random));
    if (i % 4 === 3) await run.flush();
  }
  return run;
}

describe('what roll-ups are read from', () => {
  test('what is in parts is answered without reading a span', async () => {
    await using run = await runWithParts(createRandom(7));
    await run.flush();
    const paths = run.partFiles('data');
    expect(paths.length).toBeGreaterThan(2);
    run.compareAll();
    run.forgetOpenFiles();
    for (const path of paths) {
      const { size } = statSync(path);
      truncateSync(path, 0);
      truncateSync(path, size);
    }
    expect(run.compareAll()).toEqual([]);
  });

  test(
    'a byte of them anywhere: the day is counted from its spans, until a merge of all of it',
    { timeout: 30_000 },
    async () => {
      await using run = await runWithParts(createRandom(8));
      for (const path of run.partFiles('rollups')) {
        const bytes = readFileSync(path);
        for (const at of [0, 8, 20, bytes.length >> 1, bytes.length - 14, bytes.length - 1]) {
          const damaged = Buffer.from(bytes);
          damaged[at]! ^= 1;
          writeFileSync(path, damaged);
          run.forgetOpenFiles();
          run.compareAll();
        }
        writeFileSync(path, bytes);
        truncateSync(path, bytes.length - 20);
        run.forgetOpenFiles();
        expect(run.compareAll().join()).toContain('counted from its spans');
      }
      // Every file is cut off now. What is flushed still counts itself; what is merged with them cannot.
      await run.tick();
      await run.write(TENANTS[0]!, randomRequest(createRandom(9)));
      await run.flush();
      run.compareAll();
      await run.merge();
      run.forgetOpenFiles();
      expect(run.compareAll()).toEqual([]);
      for (const path of run.partFiles('rollups')) rmSync(path);
      await run.restart();
      run.forgetOpenFiles();
      expect(run.compareAll().join()).toContain('missing');
      await run.merge();
      run.forgetOpenFiles();
      expect(run.compareAll()).toEqual([]);
    },
  );

  test('a part whose metadata is lost keeps them', async () => {
    await using run = await runWithParts(createRandom(10));
    await run.close();
    for (const path of run.partFiles('metadata')) rmSync(path);
    run.open();
    run.forgetOpenFiles();
    expect(run.compareAll()).toEqual([]);
  });

  test('an index that is lost costs none, and is told of', async () => {
    await using run = await runWithParts(createRandom(11));
    await run.close();
    for (const path of run.partitionFiles('/index/data.mdb')) rmSync(dirname(path), { recursive: true });
    run.open();
    run.forgetOpenFiles();
    // Whether a part went with the index cannot be told, so every answer says that it may lack something.
    const isSaid = (line: string): boolean => /\/index: an unknown number of spans lost/.test(line);
    expect(run.compareAll().filter((line) => !isSaid(line))).toEqual([]);
  });
});
