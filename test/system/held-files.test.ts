// Random schedules of writes, flushes, merges, drops, days taken out and begun anew, while views are held and read through the
// caches of two query threads: a view reads what it saw when it was taken, a deleted file is never open, and what stays
// open between queries is bounded.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deletedFilesHeld } from '../../src/disk/deleted-files.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery, type QueryTask } from '../../src/query/run-query.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { idOf, requestOf, span } from '../block/scanned.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { textOf } from '../support/store-answers.ts';
import { ANY_TRACE } from '../query/made-store.ts';

const NOON_NS = 20_777n * 86_400_000_000_000n + 43_200_000_000_000n;
const TRACES_MAX = 200;
const TASKS: readonly QueryTask[] = [
  { kind: 'find', traceIds: Array.from({ length: TRACES_MAX }, (_, i) => idOf(i + 1, 16)) },
  { kind: 'search', query: { ...ANY_TRACE, startMaxNs: 2n ** 62n } },
  { kind: 'dependencies', startNs: 0n, endNs: 2n ** 62n },
];

type View = ReturnType<Storage['takeView']>;

/** A store and what reads it. */
class Run implements AsyncDisposable {
  readonly #folder = new TemporaryFolder();
  readonly #caches = [new PartCache(nodeDisk), new PartCache(nodeDisk)];
  readonly #views: { view: View; expected: string[] }[] = [];
  readonly #storage: Storage;
  #traces = 0;

  constructor() {
    const forget = (identities: Parameters<PartCache['drop']>[0][]): void => {
      for (const cache of this.#caches) for (const identity of identities) cache.drop(identity);
    };
    this.#storage = openStore(this.#folder.path, { forget: (identities) => forget([...identities]) });
  }

  async step({ what, which }: { what: keyof Run['steps']; which: number }): Promise<void> {
    await this.steps[what](which);
    this.#check();
  }

  readonly steps = {
    write: async (which: number): Promise<void> => {
      if (this.#traces === TRACES_MAX) return;
      const trace = ++this.#traces;
      const startTimeUnixNano = NOON_NS - BigInt(which % 2) * 86_400_000_000_000n;
      const front = requestOf([span(1, { trace, startTimeUnixNano })], 'front');
      const back = requestOf([span(2, { trace, startTimeUnixNano, parentSpanId: idOf(1, 8) })], 'back');
      const body = encodeRequest({ resourceSpans: [...front.resourceSpans!, ...back.resourceSpans!] });
      await this.#storage.write(DEFAULT_TENANT, body);
    },
    flush: () => this.#storage.forceFlush(),
    merge: () => this.#storage.forceMerge(''),
    take: async (): Promise<void> => {
      const view = this.#storage.takeView(DEFAULT_TENANT, {});
      const fresh = new PartCache(nodeDisk);
      this.#views.push({ view, expected: this.#answers(view, fresh) });
      fresh.close();
    },
    query: async (which: number): Promise<void> => {
      const held = this.#views[which % Math.max(1, this.#views.length)];
      if (held !== undefined) expect(this.#answers(held.view, this.#caches[which % 2]!)).toEqual(held.expected);
    },
    release: async (which: number): Promise<void> => this.#release(which),
    purge: () => this.#ending(this.#storage.purge()),
    detachAndAttach: async (which: number): Promise<void> => {
      const names = this.#storage.listPartitions();
      const name = names[which % Math.max(1, names.length)];
      if (name === undefined) return;
      await this.#ending(this.#storage.detachPartition(name));
      await this.#storage.attachPartition(name);
    },
  };

  /** What takes a day out waits for the views, which read on until they are released. */
  async #ending(done: Promise<void>): Promise<void> {
    for (const index of this.#views.keys()) await this.steps.query(index);
    this.#check();
    while (this.#views.length > 0) this.#release(0);
    await done;
  }

  #answers(view: View, cache: PartCache): string[] {
    return TASKS.map((task) => {
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const result = runQuery(cache, { task, tenant: DEFAULT_TENANT, view, durationMaxMs: 60_000, cancelled });
      expect(result.warnings).toEqual([]);
      return textOf(result);
    });
  }

  #release(which: number): void {
    const [held] = this.#views.splice(which % Math.max(1, this.#views.length), 1);
    if (held !== undefined) this.#storage.releaseView(held.view.id);
  }

  #check(): void {
    if (process.platform === 'linux') expect(deletedFilesHeld(this.#folder.path)).toEqual({ files: 0, bytes: 0 });
    for (const { view } of this.#views) {
      for (const { parts, logBlocks } of view.partitions)
        for (const { path } of [...parts, ...logBlocks])
          expect([path, nodeDisk.stat(path)]).not.toEqual([path, undefined]);
    }
    for (const cache of this.#caches) expect(cache.openFiles).toBeLessThanOrEqual(128);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#views.length > 0) this.#release(0);
    await this.#storage.close();
    for (const cache of this.#caches) expect(cache.openFiles).toBe(0);
    this.#folder[Symbol.dispose]();
  }
}

const step = fc.record({
  what: fc.constantFrom<keyof Run['steps']>(
    'write',
    'write',
    'write',
    'flush',
    'flush',
    'merge',
    'take',
    'take',
    'query',
    'query',
    'query',
    'release',
    'purge',
    'detachAndAttach',
  ),
  which: fc.nat({ max: 100 }),
});

test('a view reads what it saw, and no deleted file stays open', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      await using run = new Run();
      for (const one of steps) await run.step(one);
    }),
    { numRuns: 25 },
  );
}, 120_000);
