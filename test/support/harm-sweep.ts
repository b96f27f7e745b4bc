// One file of a data directory is harmed, while the store runs or before it starts: ingest, flush and merge go on, every answer
// is what it was or says what it may lack, also after merges and restarts, until an operator accepts the loss.
import { cpSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { requestOf, traceIdOf } from '../storage/stored-spans.ts';
import { MarkedAnswers } from './marked-answers.ts';
import { createRandom, printedSeed } from './random-request.ts';
import { openArchive, writeRichStore } from './rich-store.ts';
import { Asker } from './store-answers.ts';
import { BadSectors, counterpart, HARMS } from './tree-damage.ts';

/** Whoever writes while there is damage: nothing of it was there before. */
const WRITER = parseTenant('9', '9');

let folder: TemporaryFolder;
let intact: string;
let answers: MarkedAnswers;
let names: readonly string[];

async function prepare(): Promise<void> {
  folder = new TemporaryFolder();
  intact = join(folder.path, 'intact');
  const all = await writeRichStore(intact);
  const questions = { ...all, searches: all.searches.slice(0, 4) };
  // As it lies there: nothing may be written to it.
  const copy = join(folder.path, 'asked');
  cpSync(intact, copy, { recursive: true });
  const storage = openStore(copy);
  using asker = new Asker(openArchive(copy));
  answers = new MarkedAnswers(storage, asker, questions);
  storage.abandon();
  names = walkFiles(intact)
    .map(({ name }) => name)
    .filter((name) => /^(partitions|archive)\//.test(name) && basename(name) !== 'lock.mdb');
}

interface Case {
  readonly name: string;
  readonly harm: string;
  readonly when: 'running' | 'before start';
}

/** LMDB maps its file: what is cut or changed beneath it can only end the process, and the next start then finds it. */
function isPossible({ name, harm, when }: Case): boolean {
  if (harm === 'swap' && counterpart(names, name) === undefined) return false;
  return when === 'before start' || !name.endsWith('.mdb') || harm === 'delete' || harm === 'unreadable';
}

function casesOf(random: () => number, max: number): Case[] {
  const all = names.flatMap((name) =>
    Object.keys(HARMS).flatMap((harm) =>
      (['running', 'before start'] as const).map((when) => ({ name, harm, when })).filter(isPossible),
    ),
  );
  const shuffled = all.map((one) => ({ one, key: random() })).sort((a, b) => a.key - b.key);
  return shuffled.slice(0, max).map(({ one }) => one);
}

/** The store, its disk, and who asks it, through a restart. */
class Harmed implements Disposable {
  readonly #folder = new TemporaryFolder();
  readonly path = join(this.#folder.path, 'data');
  readonly bad = new BadSectors();
  readonly asker: Asker;
  readonly where: string;
  storage: Storage | undefined;
  #written = 0;

  constructor({ name, harm, when }: Case) {
    cpSync(intact, this.path, { recursive: true });
    this.asker = new Asker(openArchive(this.path), this.bad.disk);
    this.where = `${harm} ${name} ${when}`;
  }

  open(): Storage {
    this.storage?.abandon();
    const { disk } = this.bad;
    return (this.storage = openStore(this.path, { disk, mergeRunner: inlineMergeRunner(disk) }));
  }

  /** Every answer is right or marked. Gives those that are not right. */
  check(stage: string): readonly string[] {
    const { wrong, short } = answers.ask(this.storage!, this.asker);
    expect(wrong, `${this.where}, ${stage}`).toEqual([]);
    return short;
  }

  /** What is written now is stored and found. */
  async write(stage: string): Promise<void> {
    const first = 4 * this.#written++;
    const { stored } = await this.storage!.write(WRITER, requestOf({ first, count: 4 }));
    const traceIds = [traceIdOf(first / 4)];
    const found = this.asker.run(this.storage!, WRITER, { task: { kind: 'find', traceIds }, filter: { traceIds } });
    expect([stored, found], `${this.where}, ${stage}`).toMatchObject([4, { traces: [{}] }]);
  }

  /** May fail where a file cannot be read: it may be readable again. */
  async try(stage: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const isMarked = this.bad.paths.size > 0 && isStoreError(error, 'DISK');
      if (!isMarked) throw new Error(`${this.where}, ${stage}: ${String(error)}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.storage?.abandon();
    this.asker[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

async function run(one: Case, random: () => number): Promise<void> {
  using harmed = new Harmed(one);
  if (one.when === 'running') harmed.open();
  // Files that are open already, and files that are not.
  if (one.when === 'running' && random() < 0.5) harmed.check('before');
  const path = join(harmed.path, one.name);
  const other = counterpart(names, one.name);
  HARMS[one.harm]!({
    path,
    sizeBytes: walkFiles(harmed.path).find(({ name }) => name === one.name)!.sizeBytes,
    other: other === undefined ? undefined : join(harmed.path, other),
    random,
    bad: harmed.bad,
  });
  if (one.when === 'before start') harmed.open();
  harmed.check('at once');
  await harmed.write('ingest');
  await harmed.try('flush', () => harmed.storage!.forceFlush());
  harmed.check('flushed');
  await harmed.try('merge', () => harmed.storage!.forceMerge(''));
  harmed.check('merged');
  await harmed.write('ingest after a merge');
  const storage = harmed.open();
  const short = harmed.check('opened again');
  if (short.length === 0) return;
  const { losses } = await storage.stats();
  const notes = readdirSync(join(harmed.path, 'quarantine')).filter((name) => name.endsWith('.txt'));
  if (harmed.bad.paths.size > 0 || one.name.startsWith('archive/')) return;
  expect([losses > 0, notes.length > 0], `${harmed.where}: counted and noted`).toEqual([true, true]);
  await storage.acceptLosses('');
  expect((await storage.stats()).losses, `${harmed.where}: accepted`).toBe(0);
  const { marked } = answers.ask(storage, harmed.asker);
  expect(marked, `${harmed.where}: accepted`).toEqual([]);
  harmed.open();
  expect(answers.ask(harmed.storage!, harmed.asker).marked, `${harmed.where}: accepted, opened again`).toEqual([]);
}

/** Tests at most `max` ways to harm a file, a sample of all by the seed that is printed. */
export function testHarm(what: string, max: number): void {
  beforeAll(prepare);
  afterAll(() => folder[Symbol.dispose]());

  test(`one file harmed, ${what}: every answer is right or marked`, async () => {
    const random = createRandom(printedSeed('losses'));
    const cases = casesOf(random, max);
    const failures: string[] = [];
    for (const one of cases) {
      await run(one, random).catch((error: Error) =>
        failures.push(`${one.harm} ${one.name} ${one.when}: ${error.stack?.slice(0, 900)}`),
      );
    }
    expect(failures).toEqual([]);
    expect(cases.length).toBeGreaterThan(0);
  }, 3_600_000);
}
