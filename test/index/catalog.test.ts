import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { isStoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { commitParts, type PartEntry, readCatalog } from '../../src/index/catalog.ts';
import { type Environment, openEnvironment } from '../../src/index/environment.ts';
import { HEAD_KEY, partKey } from '../../src/index/keys.ts';
import { listOperations, listServices, NameSet } from '../../src/index/names.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import type { PartId } from '../../src/part/identity.ts';
import { CrashError, crashPoints, FaultyDisk } from '../support/faulty-disk.ts';

const TENANT = '0:0' as Tenant;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-catalog-'));
  path = join(folder, 'index');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const opened = (disk: Disk = nodeDisk): Environment => openEnvironment({ path, disk });

/** Ids in the order of their numbers. */
const idOf = (id: number): PartId => id.toString(16).padStart(32, '1');

function part(id: number, more: Partial<PartEntry> = {}): PartEntry {
  return {
    id: idOf(id),
    level: 1,
    rows: id * 10,
    blocks: 1,
    sizeBytes: id * 1000,
    minStartNs: 1_795_132_800_000_000_000n,
    maxStartNs: 1_795_132_800_000_000_001n,
    ...more,
  };
}

function namesOf(...services: string[]): NameSet {
  const names = new NameSet();
  for (const service of services) names.addOperation(TENANT, service, 'op', 1);
  return names;
}

describe('catalog', () => {
  test('a new one is empty', () => {
    using env = opened();
    expect(readCatalog(env)).toEqual({ parts: [], flushedLogSeq: 0, logSeqs: [], generation: 0 });
  });

  test('what was committed is there after reopening, parts by id, bigints as bigints', () => {
    const added = [
      part(300, { minStartNs: 0n, maxStartNs: 18446744073709551615n, replaces: ['0000000000000001', idOf(2)] }),
      part(2, {
        minStartNs: 9007199254740993n,
        maxStartNs: 9223372036854775808n,
        rows: 2 ** 40,
        sizeBytes: Number.MAX_SAFE_INTEGER,
      }),
      part(10, { minStartNs: 5n, maxStartNs: 5n, replaces: [] }),
    ];
    let env = opened();
    expect(commitParts(env, { add: added, remove: [], flushedLogSeq: 7, names: namesOf('cart') })).toBe(1);
    env.close();
    env = opened();
    expect(readCatalog(env)).toEqual({
      parts: [added[1], added[2], added[0]],
      flushedLogSeq: 7,
      logSeqs: [],
      generation: 1,
    });
    expect(listServices(env, TENANT)).toEqual(['cart']);
    env.close();
  });

  test('a swap removes and adds at once; ids are not given again, flushedLogSeq stays without a new one', () => {
    using env = opened();
    commitParts(env, { add: [part(1), part(2), part(3)], remove: [], flushedLogSeq: 3 });
    commitParts(env, { add: [part(4, { level: 2, replaces: [idOf(1), idOf(3)] })], remove: [idOf(1), idOf(3)] });
    expect(readCatalog(env)).toEqual({
      parts: [part(2), part(4, { level: 2, replaces: [idOf(1), idOf(3)] })],
      flushedLogSeq: 3,
      logSeqs: [],
      generation: 2,
    });
    commitParts(env, { add: [], remove: [idOf(2), idOf(4)] });
    expect(readCatalog(env)).toEqual({ parts: [], flushedLogSeq: 3, logSeqs: [], generation: 3 });
  });

  test.each([
    ['removing a part that is not there', { add: [], remove: [idOf(9)] }],
    ['adding a part that is there', { add: [part(1)], remove: [] }],
    ['adding one part twice', { add: [part(5), part(5)], remove: [] }],
    ['flushedLogSeq going back', { add: [], remove: [], flushedLogSeq: 2 }],
    ['a part id that is none', { add: [part(5, { id: '5' })], remove: [] }],
    ['a count that is not one', { add: [part(5, { rows: 1.5 })], remove: [] }],
    ['a part that ends before it starts', { add: [part(5, { minStartNs: 9n, maxStartNs: 8n })], remove: [] }],
  ])('%s is a bug and changes nothing', (_what, change) => {
    using env = opened();
    commitParts(env, { add: [part(1)], remove: [], flushedLogSeq: 3 });
    const before = readCatalog(env);
    expect(() => commitParts(env, { ...change, names: namesOf('ghost') })).toThrow(BugError);
    expect(readCatalog(env)).toEqual(before);
    expect(listServices(env, TENANT)).toEqual([]);
    commitParts(env, { add: [part(2)], remove: [idOf(1)] });
    expect(readCatalog(env).parts).toEqual([part(2)]);
  });

  test.each([
    ['a head that is no msgpack', HEAD_KEY, Uint8Array.of(0xc1)],
    ['a head that is a number', HEAD_KEY, Uint8Array.of(7)],
    ['a head without its fields', HEAD_KEY, Uint8Array.of(0x80)],
    ['a part without its fields', partKey(idOf(4)), Uint8Array.of(0x80)],
  ])('%s is CORRUPTION naming the index', (_what, key, payload) => {
    using env = opened();
    env.transaction('damage', (txn) => txn.put(key, payload));
    expect(() => readCatalog(env)).toThrow(
      expect.objectContaining({ code: 'CORRUPTION', message: expect.stringContaining(path) as string }),
    );
  });
});

describe('crashes', () => {
  /** Commit n swaps part n-1 for part n and adds service n. */
  function commitNext(env: Environment, n: number): void {
    commitParts(env, { add: [part(n)], remove: n > 1 ? [idOf(n - 1)] : [], flushedLogSeq: n, names: namesOf(`s${n}`) });
  }

  function run(disk: FaultyDisk, env: Environment, acknowledged: { generation: number }): void {
    for (let n = 1; n <= 4; n++) {
      commitNext(env, n);
      acknowledged.generation = n;
      disk.syncDir(folder);
    }
  }

  function startAgain(): void {
    rmSync(path, { recursive: true, force: true });
    rmSync(`${path}.tmp`, { recursive: true, force: true });
  }

  async function callsOfRun(): Promise<number> {
    const disk = new FaultyDisk(folder);
    using env = opened(disk);
    run(disk, env, { generation: 0 });
    env.close();
    await disk.close();
    startAgain();
    expect(disk.callCount).toBeGreaterThanOrEqual(12);
    return disk.callCount;
  }

  function expectWhole(acknowledged: number, generationsMax: number): void {
    using env = opened();
    const { generation, parts, flushedLogSeq } = readCatalog(env);
    expect(generation).toBeGreaterThanOrEqual(acknowledged);
    expect(generation).toBeLessThanOrEqual(generationsMax);
    expect(parts).toEqual(generation === 0 ? [] : [part(generation)]);
    expect(flushedLogSeq).toBe(generation);
    expect(listServices(env, TENANT)).toEqual(Array.from({ length: generation }, (_, i) => `s${i + 1}`));
  }

  test('around every disk call, with and without power loss: the last acknowledged commit or one later', async () => {
    for (const { k, before, label, ...survival } of crashPoints(await callsOfRun())) {
      const disk = new FaultyDisk(folder);
      disk.crashAfter(k, { before });
      const acknowledged = { generation: 0 };
      let env: Environment | undefined;
      try {
        env = opened(disk);
        run(disk, env, acknowledged);
      } catch (error) {
        expect(error, label).toBeInstanceOf(CrashError);
      }
      env?.close();
      await disk.powerLoss(survival);
      expectWhole(acknowledged.generation, acknowledged.generation + 1);
      startAgain();
    }
  }, 60_000);

  test('failing every disk call in turn: DISK, nothing half done, and the next try succeeds', async () => {
    const calls = await callsOfRun();
    for (let i = 0; i < calls * 4; i++) {
      const errno = (['EIO', 'ENOSPC', 'EMFILE', 'EACCES'] as const)[i % 4]!;
      const disk = new FaultyDisk(folder);
      disk.failAt(1 + (i >> 2), errno);
      const acknowledged = { generation: 0 };
      let env: Environment | undefined;
      let failure: unknown;
      try {
        env = opened(disk);
        run(disk, env, acknowledged);
      } catch (error) {
        failure = error;
      }
      expect(isStoreError(failure, 'DISK'), String(failure)).toBe(true);
      env ??= opened(disk);
      const { generation } = readCatalog(env);
      expect(generation).toBe(acknowledged.generation);
      commitNext(env, generation + 1);
      env.close();
      await disk.close();
      expectWhole(generation + 1, generation + 1);
      startAgain();
    }
  }, 60_000);

  test('kill -9 in a commit loop, ten times: the last acknowledged commit or one later, names included', async () => {
    const module = (name: string): string => new URL(`../../src/${name}`, import.meta.url).href;
    const script = `
      import { openEnvironment } from '${module('index/environment.ts')}';
      import { commitParts, readCatalog } from '${module('index/catalog.ts')}';
      import { NameSet } from '${module('index/names.ts')}';
      import { nodeDisk } from '${module('disk/node-disk.ts')}';
      const env = openEnvironment({ path: process.argv[1], disk: nodeDisk });
      for (let n = readCatalog(env).generation + 1; ; n++) {
        const names = new NameSet();
        for (let i = 0; i < 20; i++) names.addOperation('0:0', 's' + n, 'op' + i, 1);
        const idOf = (n: number) => n.toString(16).padStart(32, '1');
        const part = { id: idOf(n), level: 1, rows: n, blocks: 1, sizeBytes: 1, minStartNs: 1n, maxStartNs: 2n };
        commitParts(env, { add: [part], remove: n > 1 ? [idOf(n - 1)] : [], flushedLogSeq: n, names });
        process.stdout.write(n + '\\n');
      }`;
    let reached = 0;
    for (let round = 0; round < 10; round++) {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const target = reached + 1 + Math.floor(Math.random() * 60);
      let acknowledged = reached;
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Number(line);
        if (acknowledged >= target) child.kill('SIGKILL');
      }
      expect(acknowledged, 'the child ended by itself').toBeGreaterThanOrEqual(target);
      using env = opened();
      const { generation, parts, flushedLogSeq } = readCatalog(env);
      expect([acknowledged, acknowledged + 1]).toContain(generation);
      expect(parts.map((entry) => entry.id)).toEqual([idOf(generation)]);
      expect(flushedLogSeq).toBe(generation);
      expect(listServices(env, TENANT).length).toBe(generation);
      expect(listOperations(env, TENANT, `s${generation}`).length).toBe(20);
      reached = generation;
    }
  }, 60_000);
});
