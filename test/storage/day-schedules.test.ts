// Random schedules over the days of one store: writes, flushes, merges, detach, attach, purge, drops by age, disks that
// refuse one day's calls, merge threads that die, restarts. Whatever one day meets, every other day is written, flushed
// and read as if nothing had happened, and what was acknowledged of an open day is there, once.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStoreError, StoreError } from '../../src/base/errors.ts';
import type { AppendFile, Disk, WriteFile } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { formatDay } from '../../src/partition/day.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { printedSeed } from '../support/random-request.ts';
import { spanSet } from '../support/span-set.ts';
import { DAY_MS, openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf, storedSpans } from './stored-spans.ts';

const TODAY = 20_777;
/** Days of the schedule, in days before today. The last is the next that age drops. */
const AGES = [0, 1, 6];

const action = fc.constantFrom(
  'write',
  'write',
  'write',
  'flush',
  'merge',
  'detach',
  'attach',
  'refuse',
  'allow',
  'poison',
  'cure',
  'maintain',
);
const step = fc.oneof(
  { weight: 24, arbitrary: fc.tuple(action, fc.constantFrom(...AGES)) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('purge', 'purge', 'restart'), fc.constant(0)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('age'), fc.constant(0)) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What is known of one day. */
interface KnownDay {
  readonly name: string;
  readonly spans: Set<string>;
  /** In a request that failed: there or not, both is right. */
  readonly unsure: Set<string>;
  isDetached: boolean;
  /** Its disk refuses every change. */
  isRefused: boolean;
  /** Merges and flushes of it kill their thread. */
  isPoisoned: boolean;
}

class Schedule {
  readonly clock = new FakeClock();
  readonly days = new Map<number, KnownDay>();
  readonly #disk: Disk;
  readonly #runner: MergeRunner;
  readonly #path: string;
  #storage: Storage;
  #next = 0;

  constructor(path: string) {
    this.#path = path;
    for (const age of AGES) {
      const name = formatDay(TODAY - age);
      const [spans, unsure] = [new Set<string>(), new Set<string>()];
      this.days.set(age, { name, spans, unsure, isDetached: false, isRefused: false, isPoisoned: false });
    }
    this.#disk = refusingDisk((path_) => this.#dayAt(path_)?.isRefused === true);
    const inline = inlineMergeRunner(this.#disk);
    this.#runner = {
      run: async (job, options) => {
        if (this.#dayAt(job.partPath)?.isPoisoned === true) throw new StoreError('WORKER_FAILED', 'the thread died');
        return inline.run(job, options);
      },
      readLog: (job) => inline.readLog(job),
      close: () => inline.close(),
    };
    this.#storage = this.#open();
  }

  async take([what, age]: Step): Promise<void> {
    const day = this.days.get(age)!;
    const steps: Record<typeof what, () => Promise<void> | void> = {
      write: () => this.#write(age, day),
      flush: async () => {
        // It goes over all days: it fails with one of them, but only with that.
        await this.#try(this.#isAnyTroubled, () => this.#storage.forceFlush());
        this.#verifyFlushed();
      },
      merge: async () => void (await this.#try(isTroubled(day), () => this.#storage.forceMerge(day.name))),
      detach: () => this.#detach(day),
      attach: () => this.#attach(day),
      refuse: () => void (day.isRefused = true),
      allow: () => this.#allow(day),
      poison: () => void (day.isPoisoned = true),
      cure: () => void (day.isPoisoned = false),
      maintain: () => this.#maintain(),
      purge: () => this.#purge(),
      restart: () => this.#restart(),
      age: () => {
        this.clock.advance(DAY_MS / 2);
        return this.#maintain();
      },
    };
    await steps[what]();
  }

  async #allow(day: KnownDay): Promise<void> {
    if (!day.isRefused) return;
    day.isRefused = false;
    // What failed meanwhile is tried again when its pause is over.
    this.clock.advance(60_000);
    await this.#maintain();
  }

  /** With every disk well again, everything that is left over comes to its end. */
  async end(): Promise<void> {
    for (const day of this.days.values()) day.isRefused = day.isPoisoned = false;
    for (let i = 0; i < 3; i++) {
      this.clock.advance(60_000);
      await this.#maintain();
    }
    const { days } = await this.#storage.stats();
    expect(days).toMatchObject({ opening: 0, failed: 0, detaching: 0, dropping: 0 });
    this.verify();
    await this.#storage.close();
    for (const day of this.days.values()) day.isDetached = false;
    this.#storage = this.#open();
    this.verify();
    await this.#storage.close();
  }

  /** Every day that is open holds exactly what was acknowledged; of the others nothing is seen. */
  verify(): void {
    const found = new Set(storedSpans(this.#storage, nodeDisk, DEFAULT_TENANT));
    const open = new Set(this.#storage.listPartitions());
    const allowed = new Set<string>();
    for (const day of this.days.values()) {
      if (day.isDetached) expect(open).not.toContain(day.name);
      if (!open.has(day.name)) continue;
      for (const span of day.spans) {
        expect(found, `lost of ${day.name}`).toContain(span);
        allowed.add(span);
      }
      for (const span of day.unsure) allowed.add(span);
    }
    for (const span of found) expect(allowed, 'nobody sent it, or it is gone').toContain(span);
    // Only trouble of its own closes a day.
    for (const day of this.days.values())
      if (day.spans.size > 0 && !day.isDetached && !day.isRefused)
        expect(open, `${day.name} is not open`).toContain(day.name);
  }

  /** No day's flush waits for another day, or fails with it. */
  #verifyFlushed(): void {
    const view = this.#storage.takeView(DEFAULT_TENANT, {});
    this.#storage.releaseView(view.id);
    for (const { path, logBlocks } of view.partitions)
      // Parked files have high numbers: they stay in the log.
      if (!isTroubled(this.#dayAt(path)!))
        expect(
          logBlocks.filter((block) => !block.path.includes('/log/001')),
          `${path} is not flushed`,
        ).toEqual([]);
  }

  async #write(age: number, day: KnownDay): Promise<void> {
    const startNs = NOON_NS - BigInt(age) * DAY_NS;
    const body = requestOf({ first: this.#next, count: 3, startNs: () => startNs });
    this.#next += 3;
    const spans = spanSet([body]);
    const isOld = age === AGES.at(-1) && this.clock.nowMs() > Date.UTC(2026, 10, 21);
    const stored = await this.#try(day.isRefused || day.isDetached || isOld, async () => {
      const result = await this.#storage.write(DEFAULT_TENANT, body.slice());
      if (result.stored === 0) throw new StoreError('UNAVAILABLE', 'rejected for its age');
    });
    for (const span of spans) (stored ? day.spans : day.unsure).add(span);
  }

  async #detach(day: KnownDay): Promise<void> {
    const isThere = this.#storage.listPartitions().includes(day.name);
    if (await this.#try(!isThere, () => this.#storage.detachPartition(day.name))) day.isDetached = true;
  }

  async #attach(day: KnownDay): Promise<void> {
    const mayFail = !day.isDetached || day.isRefused || this.clock.nowMs() > Date.UTC(2026, 10, 21);
    if (await this.#try(mayFail, () => this.#storage.attachPartition(day.name))) day.isDetached = false;
  }

  async #purge(): Promise<void> {
    await this.#try(this.#isAnyTroubled, () => this.#storage.purge());
    for (const day of this.days.values()) {
      if (day.isDetached) continue;
      // Where the disk refuses it is on its way out; a restart before that brings back what was.
      if (day.isRefused) for (const span of day.spans) day.unsure.add(span);
      day.spans.clear();
      if (!day.isRefused) day.unsure.clear();
    }
  }

  async #maintain(): Promise<void> {
    this.clock.advance(10_000);
    await this.#storage.runMaintenance();
    this.#verifyFlushed();
    if (this.clock.nowMs() <= Date.UTC(2026, 10, 21)) return;
    const old = this.days.get(AGES.at(-1)!)!;
    if (old.isDetached) return;
    for (const span of old.spans) old.unsure.add(span);
    old.spans.clear();
  }

  #restart(): void {
    this.#storage.abandon();
    for (const day of this.days.values()) day.isDetached = false;
    this.#storage = this.#open();
  }

  #open(): Storage {
    return openStore(this.#path, { disk: this.#disk, clock: this.clock, mergeRunner: this.#runner, mergeWorkers: 2 });
  }

  get #isAnyTroubled(): boolean {
    return [...this.days.values()].some(isTroubled);
  }

  #dayAt(path: string): KnownDay | undefined {
    return [...this.days.values()].find(({ name }) => path.includes(`/partitions/${name}`));
  }

  /** True when `what` succeeded. It fails only where it may, and never with a bug. */
  async #try(mayFail: boolean, what: () => Promise<unknown>): Promise<boolean> {
    try {
      await what();
      return true;
    } catch (error) {
      if (!isStoreError(error) || !mayFail) throw error;
      return false;
    }
  }
}

function isTroubled(day: KnownDay): boolean {
  return day.isRefused || day.isPoisoned || day.isDetached;
}

/** A disk that refuses to change what `isRefused` says, and reads it nevertheless. */
function refusingDisk(isRefused: (path: string) => boolean): Disk {
  const check = (path: string): void => {
    if (isRefused(path)) throw new StoreError('DISK', `${path}: refused`);
  };
  const appendFile = (file: AppendFile): AppendFile => ({
    path: file.path,
    get sizeBytes() {
      return file.sizeBytes;
    },
    append: async (chunks) => {
      check(file.path);
      await file.append(chunks);
    },
    sync: async () => {
      check(file.path);
      await file.sync();
    },
    close: () => file.close(),
  });
  const writeFile = (file: WriteFile): WriteFile => ({
    path: file.path,
    get sizeBytes() {
      return file.sizeBytes;
    },
    write: (bytes) => {
      check(file.path);
      file.write(bytes);
    },
    sync: () => file.sync(),
    close: () => file.close(),
  });
  const checked =
    <A extends unknown[], R>(call: (path: string, ...rest: A) => R) =>
    (path: string, ...rest: A): R => {
      check(path);
      return call(path, ...rest);
    };
  return {
    ...nodeDisk,
    openAppend: checked((path) => appendFile(nodeDisk.openAppend(path))),
    createFile: checked((path) => writeFile(nodeDisk.createFile(path))),
    makeDir: checked(nodeDisk.makeDir),
    syncDir: checked(nodeDisk.syncDir),
    rename: checked(nodeDisk.rename),
    remove: checked(nodeDisk.remove),
    removeAsync: async (path) => {
      check(path);
      await nodeDisk.removeAsync(path);
    },
    truncate: checked(nodeDisk.truncate),
    foreign: (name, run) => {
      check(name);
      return nodeDisk.foreign(name, run);
    },
  };
}

test('whatever one day meets, the other days go on, and nothing acknowledged is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      using folder = new TemporaryFolder();
      const schedule = new Schedule(folder.path);
      for (const one of steps) {
        await schedule.take(one);
        schedule.verify();
      }
      await schedule.end();
    }),
    { numRuns: 60, seed: printedSeed('days') },
  );
}, 300_000);
