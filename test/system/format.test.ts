// A data directory written by any format version opens for ever: fixtures/format/<version>/store is a copy of one,
// answers.json what it was asked and answered on that day. Only the newest is ever written, and anew only on purpose:
// fixtures/format/README.md says when and how.
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { BlockSource } from '../../src/query/block-source.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { runTool } from '../../src/tools/run-tool.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { openArchive, writeRichStore } from '../support/rich-store.ts';
import { Asker, type Questions } from '../support/store-answers.ts';

const VERSIONS = ['v1', 'v2'];

function fixtureOf(version: string): string {
  return new URL(`../../fixtures/format/${version}/`, import.meta.url).pathname;
}

/** What answers.json holds; bigints as decimal strings, undefined left out. */
interface Saved {
  readonly questions: {
    readonly tenants: readonly Tenant[];
    readonly traceIds: readonly string[];
    readonly searches: readonly Record<string, unknown>[];
    readonly windows: readonly (readonly [string, string])[];
  };
  /** JSON text by question. Of a trace: its OTLP as JSON. */
  readonly answers: readonly (readonly [string, string])[];
  /** Trace ids that are archived, by tenant. */
  readonly archived: readonly (readonly [Tenant, string])[];
}

if (process.env['TRACELITH_WRITE_FIXTURES'] === '1') await writeFixture(fixtureOf(VERSIONS.at(-1)!));

async function writeFixture(fixture: string): Promise<void> {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'store');
  const questions = await writeRichStore(path);
  rmSync(fixture, { recursive: true, force: true });
  mkdirSync(fixture, { recursive: true });
  const isLock = (name: string): boolean => basename(name) === 'lock.mdb' || basename(name) === 'flock.lock';
  cpSync(path, join(fixture, 'store'), { recursive: true, filter: (from) => !isLock(from) });
  using storage = opened(path);
  using asker = new Asker();
  const archive = openArchive(path);
  const archived = questions.tenants.flatMap((tenant) =>
    questions.traceIds
      .filter((id) => archive.find(tenant, bytesOf(id)) !== undefined)
      .map((id) => [tenant, id] as const),
  );
  const saved = { questions, answers: [...asked(asker, storage, questions)], archived };
  writeFileSync(join(fixture, 'answers.json'), `${JSON.stringify(saved, printBigint, 1)}\n`);
}

function printBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}

function readSaved(fixture: string): {
  questions: Questions;
  answers: Map<string, string>;
  archived: Saved['archived'];
} {
  const saved = JSON.parse(readFileSync(join(fixture, 'answers.json'), 'utf8')) as Saved;
  const { tenants, traceIds, searches, windows } = saved.questions;
  const questions: Questions = {
    tenants,
    traceIds,
    searches: searches.map(readQuery),
    windows: windows.map(([startNs, endNs]) => [BigInt(startNs), BigInt(endNs)]),
  };
  return { questions, answers: new Map(saved.answers), archived: saved.archived };
}

function readQuery(saved: Record<string, unknown>): TraceQuery {
  const nanos = ['startMinNs', 'startMaxNs', 'durationMinNs', 'durationMaxNs'];
  const read = nanos.map((key) => [key, saved[key] === undefined ? undefined : BigInt(saved[key] as string)]);
  return { service: undefined, operation: undefined, ...saved, ...Object.fromEntries(read) } as TraceQuery;
}

function bytesOf(id: string): Uint8Array {
  return new Uint8Array(Buffer.from(id, 'hex'));
}

function opened(path: string): Storage & Disposable {
  const storage = openStore(path);
  return Object.assign(storage, { [Symbol.dispose]: () => storage.abandon() });
}

/** Answers by question. A trace as OTLP JSON: what its bytes mean, which a later version may lay out anew. */
function asked(asker: Asker, storage: Storage, questions: Questions): Map<string, string> {
  const answers = asker.answers(storage, questions);
  for (const [question, answer] of answers) {
    if (/ trace [0-9a-f]{32}$/.test(question)) answers.set(question, (JSON.parse(answer) as { json: string }).json);
  }
  return answers;
}

describe.each(VERSIONS)('a data directory of format %s', (version) => {
  const fixture = fixtureOf(version);
  let folder: TemporaryFolder | undefined;
  /** The fixture is never opened itself: opening writes. */
  const copy = (): string => {
    folder = new TemporaryFolder();
    const path = join(folder.path, 'store');
    cpSync(join(fixture, 'store'), path, { recursive: true });
    return path;
  };
  afterEach(() => folder?.[Symbol.dispose]());
  const { questions, answers, archived } = readSaved(fixture);

  test('holds one of everything, and is small', () => {
    const files = walkFiles(fixture);
    const kinds = new Set(files.map(({ name }) => name.replace(/[0-9a-f]{4,}(?:-[0-9a-f]{4,})*/g, '*')));
    for (const kind of ['data', 'traces', 'filters', 'metadata', 'rollups'])
      expect(kinds).toContain(`store/partitions/*/parts/*/${kind}`);
    for (const kind of ['store/partitions/*/log/*.log', 'store/partitions/*/index/data.mdb'])
      expect(kinds).toContain(kind);
    expect([...kinds].filter((kind) => /snapshots\/.*manifest|archive\/.*\.trace/.test(kind))).toHaveLength(3);
    const sizeBytes = files.reduce((sum, { name }) => sum + readFileSync(join(fixture, name)).length, 0);
    expect(sizeBytes).toBeLessThan(600_000);
  });

  test('is intact, says verify', () => {
    let output = '';
    const write = (text: string): void => void (output += text);
    const code = runTool('verify', [copy()], { out: write, err: write, isInteractive: false });
    expect([code, output]).toEqual([0, expect.stringContaining('intact')]);
  });

  test('answers as on the day it was written, and after a merge, and after its index is rebuilt', async () => {
    const path = copy();
    const check = (storage: Storage, warned: RegExp[] = []): void => {
      using asker = new Asker();
      expect(asked(asker, storage, questions)).toEqual(answers);
      expect([...asker.warnings]).toEqual(warned.map((warning) => expect.stringMatching(warning)));
    };
    // Whatever else was lost with an index cannot be told.
    const rebuilt = [/20261120.index: .*rebuilt from the parts/, /20261119.index: .*rebuilt from the parts/];
    {
      using storage = opened(path);
      expect(storage.report).toMatchObject({ partitions: 2, damaged: [], tornBytes: 0 });
      check(storage);
    }
    for (const day of readdirSync(join(path, 'partitions')))
      rmSync(join(path, 'partitions', day, 'index'), { recursive: true });
    {
      using storage = opened(path);
      expect(storage.report.damaged).toHaveLength(2);
      check(storage, rebuilt);
      await storage.forceMerge('');
      check(storage, rebuilt);
      await storage.close();
    }
    using again = opened(path);
    expect(again.report).toMatchObject({ parts: 2, logFiles: 0, damaged: [] });
    check(again, rebuilt);
  });

  test('is merged on as it lies, and is a directory of the newest format then', async () => {
    const path = copy();
    {
      using storage = opened(path);
      await storage.forceMerge('');
      await storage.close();
    }
    expect(runTool('verify', [path], { out: () => {}, err: () => {}, isInteractive: false })).toBe(0);
    const names = walkFiles(join(path, 'partitions')).map(({ name }) => name.split('/')[2]!);
    expect(names.filter((name) => /^[0-9a-f]{16}$/.test(name))).toEqual([]);
    using storage = opened(path);
    using asker = new Asker();
    expect(asked(asker, storage, questions)).toEqual(answers);
  });

  test('has a snapshot that can be restored', () => {
    const path = copy();
    const [name = ''] = readdirSync(join(path, 'snapshots'));
    const partition = join(path, 'partitions', name.slice(0, 8));
    rmSync(partition, { recursive: true });
    const other = opened(path);
    const { partRows } = other.report;
    other.abandon();
    renameSync(join(path, 'snapshots', name), partition);
    const manifest = readFileSync(join(partition, 'manifest'), 'utf8');
    using storage = opened(path);
    expect(storage.report).toMatchObject({ partitions: 2, damaged: [] });
    const rows = storage.report.partRows - partRows;
    expect(manifest).toContain(`\nrows ${rows}\n`);
  });

  test('has archived traces that are read without any day', () => {
    const archive = openArchive(copy());
    const cache = new PartCache(nodeDisk);
    expect(archived.length).toBe(2);
    for (const [tenant, id] of archived) {
      const files = { partitions: [], archived: [{ traceId: bytesOf(id), path: archive.find(tenant, bytesOf(id))! }] };
      using source = new BlockSource(cache, files, tenant);
      const [otlp] = source.archivedTraces([bytesOf(id)]);
      expect([source.warnings(), otlp!.length > 0]).toEqual([[], true]);
    }
  });
});
