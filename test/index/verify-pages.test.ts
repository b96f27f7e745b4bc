import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { commitParts, readCatalog } from '../../src/index/catalog.ts';
import { type Environment, openEnvironment } from '../../src/index/environment.ts';
import { listOperations, listServices, listTags, NAME_BOUNDS, NameSet } from '../../src/index/names.ts';
import type { Tenant } from '../../src/trace/tenant.ts';

const TENANT = '0:0' as Tenant;
const SEED = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000);

let folder: string;
let path: string;
let file: string;
/** A whole file with branch, leaf, overflow and free-list pages, and a digest of everything in it. */
let whole: Buffer;
let contents: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-pages-'));
  path = join(folder, 'index');
  file = join(path, 'data.mdb');
  const env = openEnvironment({ path, disk: nodeDisk });
  for (let commit = 1; commit <= 6; commit++) {
    // One name is longer than a page.
    const names = new NameSet({ ...NAME_BOUNDS, nameLengthMax: 20_000 });
    for (let s = 0; s < 20; s++)
      for (let o = 0; o < 5; o++) names.addOperation(TENANT, `service-${s}`, `operation ${commit}-${o}`, o);
    for (let t = 0; t < 20; t++) names.addTag(TENANT, `tag.${commit}.${t}`, 'span', 1);
    if (commit === 3) names.addTag(TENANT, 'long'.repeat(4000), 'span', 1);
    const idOf = (number: number): string => String(number).padStart(32, '1');
    const part = { id: idOf(commit), level: 1, rows: 5, blocks: 1, sizeBytes: 77, minStartNs: 5n, maxStartNs: 7n };
    commitParts(env, { add: [part], remove: commit > 3 ? [idOf(commit - 1)] : [], flushedLogSeq: commit, names });
  }
  contents = everythingIn(env);
  env.close();
  whole = readFileSync(file);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function everythingIn(env: Environment): string {
  const services = listServices(env, TENANT).map((service) => [service, listOperations(env, TENANT, service)]);
  const catalog = readCatalog(env).parts.map((part) => `${part.id} ${part.rows} ${part.minStartNs} ${part.maxStartNs}`);
  const everything = JSON.stringify([catalog, services, listTags(env, TENANT), readCatalog(env).generation]);
  return `${services.length} services ${createHash('sha256').update(everything).digest('hex')}`;
}

/** Opens the damaged bytes: refused with CORRUPTION, or everything is there and stays there under a further commit. */
function isRefused(damaged: Uint8Array, what: string): boolean {
  rmSync(join(path, 'lock.mdb'), { force: true });
  writeFileSync(file, damaged);
  try {
    using env = openEnvironment({ path, disk: nodeDisk });
    expect(everythingIn(env), what).toBe(contents);
    const names = new NameSet();
    for (let i = 0; i < 200; i++) names.addOperation(TENANT, `new ${i % 3}`, `operation ${i}`, 1);
    commitParts(env, { add: [], remove: [], names });
  } catch (error) {
    if (isStoreError(error, 'CORRUPTION')) return true;
    throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
  using env = openEnvironment({ path, disk: nodeDisk });
  expect(listServices(env, TENANT).length, what).toBe(23);
  expect(listTags(env, TENANT).length, what).toBe(121);
  return false;
}

/** Numbers below `limit` that depend on SEED alone. */
let state = SEED;
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * limit);
}

describe(`damage (seed ${SEED})`, () => {
  test('the whole file opens', () => {
    expect(isRefused(whole, 'whole')).toBe(false);
  });

  test('cut at every 512 bytes: refused, the process stays up', () => {
    for (let size = 0; size < whole.length; size += 512) {
      const cut = whole.subarray(0, size);
      // What is cut off at the very end may be free pages, which nobody misses.
      if (!isRefused(cut, `cut at ${size}`)) expect(size).toBeGreaterThan(whole.length / 2);
    }
  });

  test('a bit of every byte of both meta pages flipped: refused or harmless', () => {
    for (const page of [0, 4096]) {
      for (let bit = random(8); bit < 176 * 8; bit += 8 - (bit & 7) + random(8)) {
        const flipped = Buffer.from(whole);
        flipped[page + (bit >> 3)]! ^= 1 << (bit & 7);
        isRefused(flipped, `meta page ${page / 4096} bit ${bit}`);
      }
    }
  }, 120_000);

  test('400 flips anywhere, half of them in page headers: refused or harmless, and most headers refused', () => {
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const page = 4096 * random(whole.length / 4096);
      const at = page + random(round % 2 === 0 ? 64 : 4096);
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << random(8);
      if (isRefused(flipped, `flip at ${at}`)) refused++;
    }
    expect(refused).toBeGreaterThan(40);
  }, 120_000);

  test('100 pages overwritten by zeros, noise or another page: refused or harmless', () => {
    for (let round = 0; round < 100; round++) {
      const page = 4096 * random(whole.length / 4096);
      const other = 4096 * random(whole.length / 4096);
      const damaged = Buffer.from(whole);
      if (round % 3 === 0) damaged.fill(0, page, page + 4096);
      else if (round % 3 === 1) for (let i = 0; i < 4096; i++) damaged[page + i] = random(256);
      else whole.copy(damaged, page, other, other + 4096);
      isRefused(damaged, `round ${round}: page ${page / 4096} from ${other / 4096}`);
    }
  }, 120_000);
});

test('no false alarm: an environment that changed in every way opens after each of 40 reopenings', () => {
  const changed = join(folder, 'changed');
  const model = new Map<number, number>();
  const key = (n: number): Uint8Array => Buffer.from([0x50, n >> 8, n & 255, 1, 2, 3]);
  for (let opening = 0; opening < 40; opening++) {
    using env = openEnvironment({ path: changed, disk: nodeDisk });
    expect([...env.scan({ start: Uint8Array.of(0x50), end: Uint8Array.of(0x51) })].length, `seed ${SEED}`).toBe(
      model.size,
    );
    for (let commit = random(12); commit > 0; commit--) {
      env.transaction('change', (txn) => {
        for (let i = random(random(800) + 1); i > 0; i--) {
          const n = random(5000);
          const sizeBytes = random(10) === 0 ? random(30_000) : random(60);
          if (random(3) === 0) expect(txn.remove(key(n))).toBe(model.delete(n));
          else {
            txn.put(key(n), Buffer.alloc(sizeBytes, n & 255));
            model.set(n, sizeBytes);
          }
        }
      });
    }
  }
}, 60_000);

test.each([
  ['plain', false],
  ['compacted', true],
])('a %s copy made by LMDB opens, takes commits and opens again', async (name, isCompacted) => {
  writeFileSync(file, whole);
  const copy = join(folder, name);
  nodeDisk.makeDir(copy);
  const db = open({ path, noSubdir: false, keyEncoding: 'binary', encoding: 'binary', overlappingSync: false });
  await db.backup(copy, isCompacted);
  await db.close();
  for (let opening = 0; opening < 4; opening++) {
    using env = openEnvironment({ path: copy, disk: nodeDisk });
    expect(listServices(env, TENANT).length).toBe(20 + opening);
    expect(listTags(env, TENANT).length).toBe(121);
    const names = new NameSet();
    names.addOperation(TENANT, `new ${opening}`, 'x', 1);
    commitParts(env, { add: [], remove: [], names });
  }
});
