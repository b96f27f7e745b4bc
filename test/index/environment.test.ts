import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { limits } from '../../src/base/limits.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { type Environment, openEnvironment } from '../../src/index/environment.ts';
import { STAMP_KEY } from '../../src/index/keys.ts';

let folder: string;
let path: string;
const open = (): Environment => openEnvironment({ path, disk: nodeDisk });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-environment-'));
  path = join(folder, 'index');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const key = (n: number): Uint8Array => Buffer.from([0x40, n >> 8, n]);
const ALL = { start: Uint8Array.of(0x40), end: Uint8Array.of(0x41) };

describe('entries', () => {
  test('put, find, scan, has and remove, inside the transaction and after reopening', () => {
    let env = open();
    env.transaction('fill', (txn) => {
      for (const n of [300, 2, 1]) txn.put(key(n), Buffer.from(`value ${n}`));
      txn.put(Uint8Array.of(0x41), Buffer.from('outside'));
      expect(txn.has(key(2))).toBe(true);
      expect(txn.has(key(3))).toBe(false);
      expect(Buffer.from(txn.find(key(2))!).toString()).toBe('value 2');
      expect(txn.remove(key(2))).toBe(true);
      expect(txn.remove(key(2))).toBe(false);
      txn.put(key(1), new Uint8Array(0));
      expect([...txn.scan(ALL)].map((entry) => entry.key[2])).toEqual([1, 300 & 255]);
    });
    env.close();
    env = open();
    expect(env.find(key(2))).toBeUndefined();
    expect(env.find(key(1))).toEqual(Buffer.alloc(0));
    expect([...env.scan(ALL)].map(({ payload }) => Buffer.from(payload).toString())).toEqual(['', 'value 300']);
    env.close();
  });

  test('a payload of 20 MiB and ten thousand entries in one transaction', () => {
    using env = open();
    const big = Buffer.alloc(20 << 20, 'tracelith');
    env.transaction('big', (txn) => {
      txn.put(key(0), big);
      for (let n = 1; n <= 10_000; n++) txn.put(key(n), Buffer.from(String(n)));
    });
    expect(Buffer.compare(env.find(key(0))!, big)).toBe(0);
    expect([...env.scan(ALL)].length).toBe(10_001);
  });

  test('a payload is the caller’s own: the next read does not change it', () => {
    using env = open();
    env.transaction('two', (txn) => {
      txn.put(key(1), Buffer.from('one'));
      txn.put(key(2), Buffer.from('two'));
    });
    const one = env.find(key(1))!;
    env.find(key(2));
    const scanned = [...env.scan(ALL)];
    expect(Buffer.from(one).toString()).toBe('one');
    expect(scanned.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['one', 'two']);
  });

  test('a scan that is left early holds nothing: commits and closing go on', () => {
    using env = open();
    env.transaction('two', (txn) => {
      txn.put(key(1), Buffer.from('one'));
      txn.put(key(2), Buffer.from('two'));
    });
    for (const entry of env.scan(ALL)) {
      expect(entry.key[2]).toBe(1);
      break;
    }
    env.transaction('more', (txn) => txn.put(key(3), Buffer.from('three')));
    expect([...env.scan(ALL)].length).toBe(3);
  });
});

describe('transactions', () => {
  test('what throws changes nothing and passes through', () => {
    using env = open();
    const boom = new Error('boom');
    expect(() =>
      env.transaction('fails', (txn) => {
        txn.put(key(1), Buffer.from('x'));
        throw boom;
      }),
    ).toThrow(boom);
    expect(env.find(key(1))).toBeUndefined();
    expect(
      env.transaction('works', (txn) => {
        txn.put(key(1), Buffer.from('y'));
        return 7;
      }),
    ).toBe(7);
  });

  test('nesting, promises and use after close are bugs', () => {
    const env = open();
    expect(() => env.transaction('outer', () => env.transaction('inner', () => 1))).toThrow(BugError);
    expect(() => env.transaction('async', async () => {})).toThrow(BugError);
    env.close();
    env.close();
    expect(() => env.find(key(1))).toThrow(BugError);
    expect(() => env.transaction('late', () => 1)).toThrow(BugError);
  });

  test('each is one foreign disk call, named', () => {
    const names: string[] = [];
    const disk = { ...nodeDisk, foreign: <T>(name: string, action: () => T): T => (names.push(name), action()) };
    using env = openEnvironment({ path, disk });
    env.transaction('commit parts', () => 1);
    expect(names).toEqual(['lmdb create', 'lmdb commit parts']);
  });
});

describe('opening', () => {
  function failure(): StoreError {
    try {
      open().close();
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
    throw new Error('it opened');
  }

  test('a new one leaves exactly its two files, also when an earlier creation was cut short', () => {
    nodeDisk.makeDir(`${path}.tmp`);
    writeFileSync(join(`${path}.tmp`, 'data.mdb'), 'half');
    open().close();
    expect(readdirSync(folder)).toEqual(['index']);
    expect(readdirSync(path)).toEqual(['data.mdb', 'lock.mdb']);
  });

  test('a folder with a dot in its name is a folder', () => {
    path = join(folder, 'index.v1');
    open().close();
    expect(readdirSync(path)).toEqual(['data.mdb', 'lock.mdb']);
  });

  test('a missing partition folder is made; a file in the way is DISK', () => {
    path = join(folder, 'no/such/index');
    open().close();
    writeFileSync(join(folder, 'file'), '');
    path = join(folder, 'file/index');
    expect(failure().code).toBe('DISK');
  });

  test.each([
    ['empty', () => truncateSync(join(path, 'data.mdb'), 0)],
    ['cut in the middle of a page', () => truncateSync(join(path, 'data.mdb'), 5000)],
    ['garbage', () => writeFileSync(join(path, 'data.mdb'), 'garbage'.repeat(5000))],
    ['gone', () => rmSync(join(path, 'data.mdb'))],
    ['without a stamp', () => rewriteStamp(undefined)],
    ['with another stamp', () => rewriteStamp('OTHER1')],
    ['with half a stamp', () => rewriteStamp('TLI')],
  ])('a data.mdb that is %s is CORRUPTION with the folder and a remedy', (_what, damage) => {
    open().close();
    damage();
    const error = failure();
    expect(error.code).toBe('CORRUPTION');
    expect(error.message).toContain(path);
    expect(error.message).toMatch(/rebuild it from the parts|restore it/);
  });

  test('a newer format is FORMAT_TOO_NEW with both versions', () => {
    open().close();
    rewriteStamp('TLIX\x03\x00');
    expect(failure()).toMatchObject({
      code: 'FORMAT_TOO_NEW',
      message: `${path}: index format 3, newest known 2; upgrade this node`,
    });
  });

  function rewriteStamp(stamp: string | undefined): void {
    using env = open();
    env.transaction('stamp', (txn) =>
      stamp === undefined ? txn.remove(STAMP_KEY) : txn.put(STAMP_KEY, Buffer.from(stamp, 'latin1')),
    );
  }
});

describe('more environments than may be open at once', () => {
  /** Files below `folder` that this process has open. */
  const openFiles = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false; // that of readdirSync itself
      }
    }).length;

  test('all work, in any order, and idle ones are closed beneath', async () => {
    const count = limits.indexesOpenMax + 8;
    const environments = Array.from({ length: count }, (_, n) =>
      openEnvironment({ path: join(folder, String(n)), disk: nodeDisk }),
    );
    for (let round = 0; round < 2; round++) {
      environments.forEach((env, n) => env.transaction('fill', (txn) => txn.put(key(round), Buffer.from(`${n}`))));
      environments.toReversed().forEach((env, i) => {
        expect(Buffer.from(env.find(key(round))!).toString()).toBe(String(count - 1 - i));
      });
      expect(openFiles()).toBeLessThanOrEqual(3 * limits.indexesOpenMax);
    }
    for (const env of environments) env.close();
    expect(openFiles()).toBe(0);
  });

  test.each([
    ['deleted', (file: string) => rmSync(file)],
    ['cut', (file: string) => truncateSync(file, 8192)],
  ])('one whose file is %s while it rests is damaged, not new', (_, harm) => {
    const env = open();
    env.transaction('fill', (txn) => txn.put(key(1), Buffer.alloc(100_000, 1)));
    env.rest();
    expect(env.find(key(1))).toHaveLength(100_000);
    env.transaction('grow', (txn) => txn.put(key(2), Buffer.alloc(100_000, 1)));
    env.rest();
    harm(join(env.path, 'data.mdb'));
    expect(() => env.find(key(1))).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
    env.close();
  });

  test('a scan, a copy and a transaction under way keep theirs open', async () => {
    const env = open();
    env.transaction('fill', (txn) => {
      for (let n = 0; n < 1_000; n++) txn.put(key(n), Buffer.alloc(100, n));
    });
    const others = Array.from({ length: limits.indexesOpenMax + 1 }, (_, n) =>
      openEnvironment({ path: join(folder, String(n)), disk: nodeDisk }),
    );
    const useOthers = (): void => others.forEach((other) => other.find(STAMP_KEY));
    let count = 0;
    for (const { payload } of env.scan(ALL)) {
      if (count === 500) useOthers();
      expect(payload[0]).toBe(count++ & 255);
    }
    expect(count).toBe(1_000);
    env.transaction('change', (txn) => {
      txn.put(key(0), Buffer.from('changed'));
      useOthers();
    });
    mkdirSync(join(folder, 'copy'));
    const copied = env.copyTo(join(folder, 'copy'));
    useOthers();
    await copied;
    using copy = openEnvironment({ path: join(folder, 'copy'), disk: nodeDisk });
    for (const one of [env, copy]) expect(Buffer.from(one.find(key(0))!).toString()).toBe('changed');
    for (const one of [env, ...others]) one.close();
  });
});
