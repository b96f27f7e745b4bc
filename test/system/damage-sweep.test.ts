// P6, swept: a flipped bit or a cut anywhere in any file of a data directory costs at most the spans of one block (a cut: of the
// blocks behind it). They are in quarantine with a note, counted, and named; everything else is answered as before; the store
// opens and stays up. SWEEP=all sweeps every byte of the parts and logs, which takes minutes, SWEEP=<regular expression> those
// of the files whose path it matches.
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { openPart, readBlockAt } from '../../src/part/part-reader.ts';
import { BlockSource } from '../../src/query/block-source.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { blockSpans } from '../storage/stored-spans.ts';
import { openArchive, RICH_TENANTS, writeRichStore } from '../support/rich-store.ts';
import { spanSet } from '../support/span-set.ts';
import { Asker, type Questions } from '../support/store-answers.ts';

const sweep = process.env['SWEEP'] ?? '';
const isWhole = sweep !== '';
const sweptPath = new RegExp(sweep === 'all' ? '' : sweep);
/** Flips in one file of an open store, and of a closed one. */
const HOT_FLIPS = isWhole ? Infinity : 24;
const COLD_FLIPS = isWhole ? 400 : 5;
const CUTS = isWhole ? 60 : 3;

interface Block {
  /** Inside the data directory. */
  readonly file: string;
  readonly offset: number;
  readonly end: number;
  /** Tenant and span. */
  readonly spans: ReadonlySet<string>;
}

let folder: TemporaryFolder;
let intact: string;
let questions: Questions;
let spans: readonly string[];
let answers: ReadonlyMap<string, string>;
let blocks: readonly Block[];

beforeAll(async () => {
  folder = new TemporaryFolder();
  intact = join(folder.path, 'intact');
  const all = await writeRichStore(intact);
  questions = { ...all, searches: all.searches.slice(0, 6) };
  using copy = new Copy();
  using storage = copy.open();
  using asker = new Asker();
  spans = spansOf(storage, asker);
  answers = asker.answers(storage, questions);
  blocks = blocksOf(storage, copy.path);
  expect([storage.report.damaged, [...asker.warnings]]).toEqual([[], []]);
});
afterAll(() => folder[Symbol.dispose]());

/** The store once more, to be damaged. */
class Copy implements Disposable {
  readonly #folder = new TemporaryFolder();
  readonly path = join(this.#folder.path, 'data');

  constructor() {
    cpSync(intact, this.path, { recursive: true });
  }

  open(): Storage & Disposable {
    const storage = openStore(this.path);
    return Object.assign(storage, { [Symbol.dispose]: () => storage.abandon() });
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** Every span that the traces hold, with its tenant. Without the archive, which would stand in for what is lost. */
function spansOf(storage: Storage, asker: Asker): string[] {
  return RICH_TENANTS.flatMap((tenant) => {
    const traces = asker.traces(storage, tenant, questions.traceIds);
    return spanSet([...traces.values()].map(({ hex }) => Buffer.from(hex, 'hex'))).map((span) => `${tenant} ${span}`);
  });
}

function blocksOf(storage: Storage, path: string): Block[] {
  const found: Block[] = [];
  const add = (tenant: Tenant, file: string, range: { offset: number; sizeBytes: number }): void => {
    const opened = nodeDisk.openRead(file);
    const block = blockSpans(readBlockAt(opened, range)).map((span) => `${tenant} ${span}`);
    opened.close();
    const place = { file: file.slice(path.length + 1), offset: range.offset, end: range.offset + range.sizeBytes };
    found.push({ ...place, spans: new Set(block) });
  };
  for (const tenant of RICH_TENANTS) {
    const view = storage.takeView(tenant, {});
    for (const part of view.partitions.flatMap(({ parts }) => parts)) {
      const listed = openPart(nodeDisk, part.path).metadata.blocks.filter((block) => block.tenant === tenant);
      for (const block of listed) add(tenant, join(part.path, 'data'), block);
    }
    for (const block of view.partitions.flatMap(({ logBlocks }) => logBlocks)) add(tenant, block.path, block);
    storage.releaseView(view.id);
  }
  return found;
}

/** Offsets from the file's start, densely, and on through all of it, at most `max`. */
function offsetsIn(sizeBytes: number, max: number): number[] {
  if (sizeBytes <= max) return Array.from({ length: sizeBytes }, (_, at) => at);
  const heads = [0, 4, 9, 13, 17, 30, 60].slice(0, max >> 1);
  const step = sizeBytes / (max - heads.length);
  return [...heads, ...Array.from({ length: max - heads.length }, (_, i) => Math.floor((i + 0.5) * step))];
}

function flip(path: string, at: number): void {
  const file = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0]! ^= 1 << (at % 8);
    writeSync(file, byte, 0, 1, at);
  } finally {
    closeSync(file);
  }
}

/** What is gone. Throws when it is more than the damage explains, or when there is something new. */
function missingSpans(got: readonly string[], damage: { file: string; cutAt?: number; where: string }): Set<string> {
  const left = new Set(got);
  const known = new Set(spans);
  expect(
    got.filter((span) => !known.has(span)),
    damage.where,
  ).toEqual([]);
  expect(left.size, `${damage.where}: nothing twice`).toBe(got.length);
  const missing = new Set([...known].filter((span) => !left.has(span)));
  const { cutAt } = damage;
  const inFile = blocks.filter(({ file }) => file === damage.file);
  const allowed = cutAt === undefined ? inFile : [unionOf(inFile.filter(({ end }) => end > cutAt))];
  const isExplained =
    allowed.length === 0 ? missing.size === 0 : allowed.some((block) => isWithin(missing, block.spans));
  expect(isExplained, `${damage.where}: ${missing.size} spans are gone`).toBe(true);
  return missing;
}

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every((span) => all.has(span));
}

function unionOf(cut: readonly Block[]): Pick<Block, 'spans'> {
  return { spans: new Set(cut.flatMap((block) => [...block.spans])) };
}

/** What is missing was said, counted, and put aside with its note. */
async function expectTold(
  storage: Storage,
  path: string,
  told: { readonly warnings: Set<string>; readonly where: string; readonly isNothingLeft?: boolean },
): Promise<void> {
  // The end of a log that was not fsynced looks the same: nothing acknowledged is claimed to be lost.
  if (storage.report.tornBytes > 0) return;
  expect(told.warnings.size + storage.report.damaged.length, `${told.where}: named`).toBeGreaterThan(0);
  const { corruptBlocks, quarantinedFiles } = await storage.stats();
  expect([corruptBlocks > 0, quarantinedFiles > 0 || told.isNothingLeft === true], `${told.where}: counted`).toEqual([
    true,
    true,
  ]);
  const names = readdirSync(join(path, 'quarantine'));
  const pieces = names.filter((name) => !name.endsWith('.txt') && !name.includes('-index-'));
  expect(
    pieces.filter((name) => !names.includes(`${name}.txt`)),
    `${told.where}: notes`,
  ).toEqual([]);
}

/** A file cut there has nothing to put aside. */
function isBetweenBlocks(name: string, cutAt: number): boolean {
  return !blocks.some(({ file, offset, end }) => file === name && offset < cutAt && cutAt < end);
}

const filesOf = (path: string): { name: string; sizeBytes: number }[] =>
  walkFiles(path)
    .filter(({ name }) => basename(name) !== 'lock.mdb' && basename(name) !== 'flock.lock')
    .map(({ name }) => ({ name, sizeBytes: readFileSync(join(path, name)).length }));

describe('while the store is open', () => {
  test('a flipped bit in a part or a log', async () => {
    using copy = new Copy();
    using storage = copy.open();
    let lost = 0;
    const swept = filesOf(copy.path).filter(
      ({ name }) => /^partitions.*\/(parts|log)\//.test(name) && sweptPath.test(name),
    );
    for (const { name, sizeBytes } of swept) {
      for (const at of offsetsIn(sizeBytes, HOT_FLIPS)) {
        const where = `${name} byte ${at}`;
        flip(join(copy.path, name), at);
        using asker = new Asker();
        const missing = missingSpans(spansOf(storage, asker), { file: name, where });
        if (missing.size > 0) {
          lost++;
          expect([...asker.warnings].join(), where).toContain(name);
          await expectTold(storage, copy.path, { warnings: asker.warnings, where });
        }
        flip(join(copy.path, name), at);
      }
    }
    if (!isWhole) expect(lost).toBeGreaterThan(blocks.length);
    // Every block was damaged in many places: it is one block all the same.
    const { corruptBlocks } = await storage.stats();
    expect(corruptBlocks > 0).toBe(lost > 0);
    expect(corruptBlocks).toBeLessThanOrEqual(3 * blocks.length);
    using asker = new Asker();
    expect(spansOf(storage, asker)).toEqual(spans);
  }, 1_200_000);

  test('a cut through a part', async () => {
    for (const { name, sizeBytes } of filesOf(intact).filter((file) => /^partitions.*\/parts\//.test(file.name))) {
      for (const cutAt of offsetsIn(sizeBytes, CUTS)) {
        using copy = new Copy();
        using storage = copy.open();
        truncateSync(join(copy.path, name), cutAt);
        using asker = new Asker();
        const where = `${name} cut at ${cutAt}`;
        const missing = missingSpans(spansOf(storage, asker), { file: name, cutAt, where });
        const { warnings } = asker;
        const told = { warnings, where, isNothingLeft: isBetweenBlocks(name, cutAt) };
        if (missing.size > 0) await expectTold(storage, copy.path, told);
      }
    }
  }, 1_200_000);
});

describe('while the store is closed', () => {
  const damages = {
    'a flipped bit': { max: COLD_FLIPS, apply: flip, isCut: false },
    'a cut': { max: CUTS, apply: (path: string, at: number) => truncateSync(path, at), isCut: true },
  };

  test.each(Object.entries(damages))(
    '%s in any file',
    async (what, { max, apply, isCut }) => {
      const swept = filesOf(intact).filter(({ name }) => !name.startsWith('snapshots/'));
      for (const { name, sizeBytes } of swept) {
        const times = name.endsWith('.mdb') ? 3 * max : max;
        for (const at of offsetsIn(sizeBytes, times)) {
          using copy = new Copy();
          apply(join(copy.path, name), at);
          const where = `${what}: ${name} at ${at}`;
          using storage = copy.open();
          using asker = new Asker();
          const missing = missingSpans(spansOf(storage, asker), { file: name, ...(isCut ? { cutAt: at } : {}), where });
          // Nobody can tell a log that was cut from one that ends there; no crash cuts what was fsynced.
          const isUntold = isCut && name.includes('/log/');
          const { warnings } = asker;
          const told = { warnings, where, isNothingLeft: isCut && isBetweenBlocks(name, at) };
          if (missing.size > 0 && !isUntold) await expectTold(storage, copy.path, told);
          if (missing.size === 0) expect(asker.answers(storage, questions), where).toEqual(answers);
          await storage.write(RICH_TENANTS[0], new Uint8Array(0));
        }
      }
    },
    1_200_000,
  );

  test('a flipped bit in a snapshot that is restored', async () => {
    const [snapshot = ''] = readdirSync(join(intact, 'snapshots'));
    const day = snapshot.slice(0, 8);
    const names = filesOf(join(intact, 'snapshots', snapshot));
    const outcomes = { attached: 0, refused: 0 };
    for (const { name, sizeBytes } of names) {
      for (const at of offsetsIn(sizeBytes, COLD_FLIPS)) {
        using copy = new Copy();
        const partition = join(copy.path, 'partitions', day);
        rmSync(partition, { recursive: true });
        renameSync(join(copy.path, 'snapshots', snapshot), partition);
        flip(join(partition, name), at);
        using storage = copy.open();
        using asker = new Asker();
        const where = `restored ${name} at ${at}`;
        const got = new Set(spansOf(storage, asker));
        // The log of that day was not in the snapshot.
        const gone = new Set(spans.filter((span) => !got.has(span)));
        const log = blocks.filter(({ file }) => file.startsWith(`partitions/${day}/log/`));
        const inFile = blocks.filter(({ file }) => file === `partitions/${day}/${name}`);
        const isExplained = [...inFile, undefined].some((block) =>
          isWithin(gone, unionOf(block === undefined ? log : [...log, block]).spans),
        );
        expect(isExplained, `${where}: ${gone.size} spans are gone`).toBe(true);
        outcomes.attached++;
      }
    }
    // Attached while the node runs, the manifest is compared first: damage of it is refused, and nothing falls.
    for (const at of [5, 30, 100, 200]) {
      using copy = new Copy();
      using storage = copy.open();
      await storage.detachPartition(day);
      const partition = join(copy.path, 'partitions', day);
      rmSync(partition, { recursive: true });
      renameSync(join(copy.path, 'snapshots', snapshot), partition);
      flip(join(partition, 'manifest'), at);
      await storage.attachPartition(day).then(
        () => outcomes.attached++,
        (error: unknown) => {
          expect(isStoreError(error), String(error)).toBe(true);
          outcomes.refused++;
        },
      );
      expect(storage.listPartitions().length).toBeGreaterThan(0);
    }
    expect(outcomes.refused).toBe(4);
  }, 1_200_000);

  test('any byte of an archived trace: it is whole, or missing and named', () => {
    const archive = openArchive(intact);
    const traceId = new Uint8Array(
      Buffer.from(
        questions.traceIds.find((id) => /^0+1$/.test(id))!,
        'hex',
      ),
    );
    using copy = new TemporaryFolder();
    const cache = new PartCache(nodeDisk);
    for (const tenant of RICH_TENANTS) {
      const bytes = readFileSync(archive.find(tenant, traceId)!);
      const path = join(copy.path, 'one.trace');
      const read = (): [Uint8Array[], string[]] => {
        using source = new BlockSource(cache, { partitions: [], archived: [{ traceId, path }] }, tenant);
        return [source.archivedTraces([traceId]), source.warnings()];
      };
      writeFileSync(path, bytes);
      const [whole] = read();
      expect(whole).toHaveLength(1);
      for (let at = 0; at < bytes.length; at += isWhole ? 1 : 3) {
        for (const damaged of [bytes.subarray(0, at), bytes.with(at, bytes[at]! ^ (1 << (at % 8)))]) {
          writeFileSync(path, damaged);
          const [found, warnings] = read();
          expect([at, found, warnings.length]).toEqual([at, [], 1]);
        }
      }
    }
  });
});
