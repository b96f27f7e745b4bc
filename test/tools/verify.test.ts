// verify and rebuild-index: intact is 0, a flipped bit or a cut anywhere is 1 with the file's name; a data directory in
// use is refused.
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeLock } from '../../src/disk/lock.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { ArchiveFolder } from '../../src/archive/archive-folder.ts';
import { isTool, runTool, toolsHelp } from '../../src/tools/run-tool.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { DAY_NS, NOON_NS, requestOf, storedSpans } from '../storage/stored-spans.ts';

interface Ran {
  readonly code: number;
  readonly output: string;
}

function run(name: string, ...args: string[]): Ran {
  let output = '';
  const write = (text: string): void => void (output += text);
  return { code: runTool(name, args, { out: write, err: write, isInteractive: false }) as number, output };
}

/** A closed data directory with two days, the later one partly in its log, and snapshots of both as a backup has them. */
let folder: TemporaryFolder;
let dataPath: string;
let backup: string;
let spans: string[];
beforeAll(async () => {
  folder = new TemporaryFolder();
  dataPath = join(folder.path, 'data');
  backup = join(folder.path, 'backup');
  const storage = openStore(dataPath, { takeLock });
  for (const startNs of [NOON_NS - DAY_NS, NOON_NS]) {
    for (const first of [0, 40, 80]) {
      const body = requestOf({ first, count: 40, startNs: (n) => startNs + BigInt(n) * 1_000_000n });
      await storage.write(DEFAULT_TENANT, body);
      if (first === 0) await storage.forceFlush();
    }
  }
  mkdirSync(backup);
  for (const path of await storage.createSnapshots(''))
    cpSync(path, join(backup, basename(path).slice(0, 8)), { recursive: true });
  spans = storedSpans(storage, nodeDisk, DEFAULT_TENANT);
  await storage.close();
});
afterAll(() => folder[Symbol.dispose]());

const day = (): string => join(backup, '20261120');
const partOf = (path: string): string => readdirSync(join(path, 'parts'))[0]!;

describe('what is intact', () => {
  test('is said to be: a backup, a day of it, a part, a data directory, a snapshot in it', () => {
    expect(run('verify', backup)).toEqual({
      code: 0,
      output: expect.stringMatching(/2 days, 3 parts, 1 log files, 240 spans.*intact/),
    });
    expect(run('verify', day())).toMatchObject({ code: 0 });
    expect(run('verify', join(day(), 'parts', partOf(day())))).toMatchObject({ code: 0 });
    expect(run('verify', dataPath)).toMatchObject({ code: 0, output: expect.stringContaining('data directory') });
    for (const { name } of walkFiles(join(dataPath, 'snapshots')).filter((file) => file.name.endsWith('manifest')))
      expect(run('verify', join(dataPath, 'snapshots', name, '..'))).toMatchObject({ code: 0 });
  });

  test('archived traces are read too, beside the days or alone', async () => {
    const copy = join(folder.path, 'with-archive');
    cpSync(backup, copy, { recursive: true });
    const archive = new ArchiveFolder({ path: copy, disk: nodeDisk, bytesMax: 1 << 20, freeDiskBytesMin: 0 });
    const traceId = new Uint8Array(16).fill(7);
    await archive.put(DEFAULT_TENANT, { traceId, otlp: Buffer.from('spans') });
    expect(run('verify', copy)).toEqual({
      code: 0,
      output: expect.stringMatching(/1 archived traces, 2 days, .*intact/),
    });
    const path = archive.find(DEFAULT_TENANT, traceId)!;
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.from(bytes).fill(1, 57));
    expect(run('verify', join(copy, 'archive'))).toEqual({
      code: 1,
      output: expect.stringContaining(`damaged: ${path}: its spans`),
    });
    const misplaced = path.replace('/0-0/', '/0-1/');
    mkdirSync(join(misplaced, '..'), { recursive: true });
    writeFileSync(misplaced, bytes);
    rmSync(path);
    expect(run('verify', copy)).toEqual({ code: 1, output: expect.stringContaining('holds the trace of 0-0/07/') });
  });

  test('stays so when LMDB has opened it', () => {
    writeFileSync(join(day(), 'index/lock.mdb'), 'readers');
    expect(run('verify', backup)).toMatchObject({ code: 0 });
    rmSync(join(day(), 'index/lock.mdb'));
  });
});

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at);
  return places;
}

describe('what is damaged', () => {
  /** Every file but the index, whose pages have unused bytes. */
  const swept = ['data', 'traces', 'filters', 'rollups', 'metadata', 'manifest', 'log'];

  test.each(swept)('a flipped bit anywhere in %s is found and the file named', (kind) => {
    const { name } = walkFiles(day()).find((file) => file.name.split('/').some((word) => word === kind))!;
    const path = join(day(), name);
    const intact = readFileSync(path);
    const missed: number[] = [];
    const step = Math.max(1, Math.floor(intact.length / 300));
    for (let at = 0; at < intact.length; at += at < 100 ? 1 : step) {
      const bytes = Buffer.from(intact);
      bytes[at]! ^= 1 << (at % 8);
      writeFileSync(path, bytes);
      const { code, output } = run('verify', day());
      if (code !== 1 || !output.includes(basename(name)) || !output.includes('damaged: ')) missed.push(at);
    }
    writeFileSync(path, intact);
    expect(missed).toEqual([]);
  });

  test('in an entry or a page of the index is found', () => {
    const path = join(day(), 'index/data.mdb');
    const intact = readFileSync(path);
    for (const at of [24, 4096 + 24, 'shop', 'op-1', 'TLIX']) {
      const bytes = Buffer.from(intact);
      // Wherever it stands: pages that were replaced are left as they were.
      const places = typeof at === 'number' ? [at] : placesOf(intact, at);
      expect(places.length).toBeGreaterThan(0);
      for (const place of places) bytes[place]! ^= 16;
      writeFileSync(path, bytes);
      expect([at, run('verify', backup)]).toEqual([at, { code: 1, output: expect.stringMatching(/damaged: .*index/) }]);
    }
    writeFileSync(path, intact);
  });

  test('a file cut short, gone, too long or too many is named', () => {
    for (const { name } of walkFiles(day())) {
      const path = join(day(), name);
      const intact = readFileSync(path);
      const expectNamed = (what: string): void => {
        const { code, output } = run('verify', day());
        expect([what, name, code, output]).toEqual([what, name, 1, expect.stringContaining(basename(name))]);
      };
      for (const length of [0, 10, intact.length >> 1, intact.length - 1]) {
        writeFileSync(path, intact.subarray(0, length));
        expectNamed(`cut at ${length}`);
      }
      writeFileSync(path, intact);
      if (name !== 'manifest') {
        renameSync(path, `${path}-away`);
        expectNamed('gone');
        renameSync(`${path}-away`, path);
        appendFileSync(path, 'x');
        expectNamed('too long');
        writeFileSync(path, intact);
      }
    }
    const stray = join(day(), 'log/00000000000000ff.log');
    writeFileSync(stray, '');
    expect(run('verify', backup)).toMatchObject({ code: 1, output: expect.stringContaining('00000000000000ff.log') });
    rmSync(stray);
    expect(run('verify', backup)).toMatchObject({ code: 0 });
  });

  test('counts in a part by itself and in a stopped data directory too', () => {
    using copy = new TemporaryFolder();
    cpSync(dataPath, copy.path, { recursive: true });
    const { name } = walkFiles(join(copy.path, 'partitions')).find((file) => file.name.endsWith('/data'))!;
    const path = join(copy.path, 'partitions', name);
    const bytes = readFileSync(path);
    bytes[200]! ^= 1;
    writeFileSync(path, bytes);
    expect(run('verify', copy.path)).toMatchObject({ code: 1, output: expect.stringContaining(name) });
    expect(run('verify', join(path, '..'))).toMatchObject({
      code: 1,
      output: expect.stringContaining('block at byte'),
    });
  });
});

describe('what cannot be checked', () => {
  test('is a data directory in use, and a partition of it; a snapshot of it can', async () => {
    using copy = new TemporaryFolder();
    const storage = openStore(copy.path, { takeLock });
    await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4 }));
    const [snapshot = ''] = await storage.createSnapshots('');
    for (const path of [copy.path, join(copy.path, 'partitions/20261120')]) {
      for (const tool of ['verify', 'rebuild-index'])
        expect(run(tool, path)).toMatchObject({
          code: 1,
          output: expect.stringContaining('already uses this data directory'),
        });
      expect(run('verify', path).output).toContain('snapshot/create');
    }
    expect(run('verify', snapshot)).toMatchObject({ code: 0 });
    await storage.close();
    expect(run('verify', copy.path)).toMatchObject({ code: 0 });
  });

  test('is what is not ours, a link, or nothing', () => {
    using other = new TemporaryFolder();
    for (const path of [other.path, join(other.path, 'nowhere')])
      expect(run('verify', path)).toMatchObject({ code: 1, output: expect.stringContaining(path) });
    symlinkSync(backup, join(other.path, 'link'));
    expect(run('verify', join(other.path, 'link'))).toMatchObject({ code: 1 });
  });

  test('nor with the wrong arguments, which is 2; -help is 0', () => {
    for (const args of [[], ['a', 'b'], ['-x'], ['--fast', 'a']])
      expect(run('verify', ...args)).toMatchObject({ code: 2 });
    expect(run('verify', '-help')).toMatchObject({ code: 0, output: expect.stringContaining('verify <dir>') });
    expect([isTool('verify'), isTool('-version'), isTool('toString'), isTool(undefined)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(toolsHelp()).toContain('rebuild-index <dir>');
  });
});

describe('rebuild-index', () => {
  test('makes an index that says the same, for a directory whose indexes are lost or damaged', async () => {
    using copy = new TemporaryFolder();
    cpSync(dataPath, copy.path, { recursive: true });
    rmSync(join(copy.path, 'partitions/20261120/index'), { recursive: true });
    writeFileSync(join(copy.path, 'partitions/20261119/index/data.mdb'), 'nonsense');
    expect(run('verify', copy.path)).toMatchObject({ code: 1 });
    const rebuilt = run('rebuild-index', copy.path);
    expect(rebuilt).toMatchObject({ code: 0, output: expect.stringContaining('2 indexes rebuilt') });
    expect(run('verify', copy.path)).toMatchObject({ code: 0 });
    const storage = openStore(copy.path);
    expect(storage.report.damaged).toEqual([]);
    expect(storedSpans(storage, nodeDisk, DEFAULT_TENANT)).toEqual(spans);
    expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['shop']);
    await storage.close();
  });

  test('leaves backups alone', () => {
    expect(run('rebuild-index', backup)).toMatchObject({ code: 1, output: expect.stringContaining('stopped node') });
    expect(run('verify', backup)).toMatchObject({ code: 0 });
  });
});
