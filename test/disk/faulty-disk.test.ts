import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { replaceFile } from '../../src/disk/atomic-write.ts';
import { errnoOf } from '../../src/disk/node-disk.ts';
import { CrashError, crashPoints, FaultyDisk } from '../support/faulty-disk.ts';

let root: string;
let disk: FaultyDisk;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tracelith-faulty-'));
  disk = new FaultyDisk(root);
});
afterEach(async () => {
  await disk.close();
  const left = readdirSync(dirname(root)).filter((name) => name.startsWith(`${basename(root)}.`));
  rmSync(root, { recursive: true, force: true });
  expect(left, 'helper folders are removed').toEqual([]);
});

const at = (name: string): string => join(root, name);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const content = (name: string): string => readFileSync(at(name), 'utf8');
const lose = (keepUnsynced: 0 | 0.5 | 1, seed = 1): Promise<void> => disk.powerLoss({ keepUnsynced, seed });

function write(name: string, text: string, isSynced = true): void {
  const file = disk.createFile(at(name));
  file.write(bytes(text));
  if (isSynced) file.sync();
  file.close();
}

/** The same script under many seeds: what was found after the power loss, each outcome once. */
async function outcomes(
  script: (on: FaultyDisk, path: (name: string) => string) => Promise<void> | void,
  show: (path: (name: string) => string) => string,
): Promise<string[]> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-faulty-'));
    const path = (name: string): string => join(folder, name);
    const one = new FaultyDisk(folder);
    await script(one, path);
    await one.powerLoss({ keepUnsynced: 0.5, seed });
    seen.add(show(path));
    rmSync(folder, { recursive: true });
  }
  return [...seen].sort();
}

describe('counting', () => {
  test('every mutating call counts once, reading and closing do not', async () => {
    disk.makeDir(at('d'));
    disk.syncDir(root);
    const log = disk.openAppend(at('d/log'));
    await log.append([bytes('a')]);
    await log.sync();
    await log.close();
    const again = disk.openAppend(at('d/log'));
    await again.close();
    const file = disk.createFile(at('d/f'));
    file.write(bytes('x'));
    file.sync();
    file.close();
    disk.rename(at('d/f'), at('d/g'));
    disk.link(at('d/g'), at('d/h'));
    disk.truncate(at('d/h'), 0);
    disk.remove(at('d/h'));
    disk.foreign('lmdb commit', () => 1);
    disk.list(root);
    disk.stat(at('d'));
    disk.freeBytes(root);
    disk.openRead(at('d/g')).close();
    expect(disk.calls).toEqual([
      'makeDir d',
      'syncDir .',
      'openAppend d/log',
      'append d/log',
      'sync d/log',
      'createFile d/f',
      'write d/f',
      'sync d/f',
      'rename d/f',
      'link d/h',
      'truncate d/h',
      'remove d/h',
      'foreign lmdb commit',
    ]);
    expect(disk.callCount).toBe(13);
  });
});

describe('crashing', () => {
  test('the k-th call takes effect, everything later throws CrashError', async () => {
    disk.crashAfter(2);
    const file = disk.createFile(at('f'));
    file.write(bytes('hello'));
    expect(disk.isCrashed).toBe(true);
    expect(() => file.write(bytes('more'))).toThrow(CrashError);
    expect(() => file.sync()).toThrow(CrashError);
    for (const call of [
      () => disk.openRead(at('f')),
      () => disk.list(root),
      () => disk.stat(at('f')),
      () => disk.freeBytes(root),
      () => disk.openAppend(at('f')),
      () => disk.remove(at('f')),
      () => disk.foreign('x', () => 1),
    ])
      expect(call).toThrow(CrashError);
    file.close();
    expect(content('f')).toBe('hello');
    expect(disk.callCount).toBe(2);
  });

  test('with `before` the k-th call has no effect and throws', () => {
    disk.crashAfter(2, { before: true });
    const file = disk.createFile(at('f'));
    expect(() => file.write(bytes('hello'))).toThrow(CrashError);
    expect(content('f')).toBe('');
    expect(() => disk.list(root)).toThrow(CrashError);
  });

  test('an asynchronous k-th call resolves, what starts beside it is dead already', async () => {
    const log = disk.openAppend(at('log'));
    disk.crashAfter(2);
    const append = log.append([bytes('x')]);
    expect(() => disk.list(root)).toThrow(CrashError);
    await append;
    await expect(log.sync()).rejects.toBeInstanceOf(CrashError);
  });

  test('foreign: before, the action did not run; after, it did and its result was returned', () => {
    let runs = 0;
    disk.crashAfter(1, { before: true });
    expect(() => disk.foreign('x', () => ++runs)).toThrow(CrashError);
    expect(runs).toBe(0);
  });

  test('a k-th call that really fails crashes all the same', () => {
    disk.crashAfter(1);
    expect(() => disk.truncate(at('missing'), 0)).toThrow();
    expect(disk.isCrashed).toBe(true);
  });
});

describe('failing', () => {
  test.each(['ENOSPC', 'EIO', 'EMFILE', 'EACCES'] as const)(
    'failAt: the k-th call throws DISK with %s once and has no effect',
    (errno) => {
      disk.failAt(1, errno);
      let error: unknown;
      try {
        disk.makeDir(at('d'));
      } catch (thrown) {
        error = thrown;
      }
      expect(isStoreError(error, 'DISK')).toBe(true);
      expect(errnoOf(error)).toBe(errno);
      expect((error as Error).message).toContain(at('d'));
      expect(existsSync(at('d'))).toBe(false);
      disk.makeDir(at('d'));
      expect(existsSync(at('d'))).toBe(true);
    },
  );

  test('a write that meets a full disk leaves its first half', async () => {
    const log = disk.openAppend(at('log'));
    disk.failAt(2, 'ENOSPC');
    const failure = await log.append([bytes('12'), bytes('345678')]).catch((error: unknown) => error);
    expect(errnoOf(failure)).toBe('ENOSPC');
    expect(content('log')).toBe('1234');
    await expect(log.append([bytes('9')])).rejects.toBe(failure);
    await expect(log.sync()).rejects.toBe(failure);
  });

  test('after a failed sync no later sync of another handle makes the bytes durable', async () => {
    const log = disk.openAppend(at('log'));
    disk.syncDir(root);
    await log.append([bytes('safe')]);
    await log.sync();
    await log.append([bytes('lost')]);
    disk.failAt(disk.callCount + 1, 'EIO');
    await expect(log.sync()).rejects.toThrow('EIO');
    const other = disk.openAppend(at('log'));
    await other.sync();
    await lose(0);
    expect(content('log')).toBe('safe');
  });
});

describe('power loss', () => {
  test('0: unsynced bytes are cut, synced ones stay', async () => {
    const log = disk.openAppend(at('log'));
    disk.syncDir(root);
    await log.append([bytes('synced')]);
    await log.sync();
    await log.append([bytes(' not')]);
    await lose(0);
    expect(content('log')).toBe('synced');
  });

  test('1: everything written stays, as after kill -9', async () => {
    write('f', 'unsynced', false);
    await lose(1);
    expect(content('f')).toBe('unsynced');
  });

  test('a synced file whose folder was not synced is gone; syncDir keeps it', async () => {
    write('kept', 'a');
    disk.syncDir(root);
    write('gone', 'b');
    await lose(0);
    expect(readdirSync(root)).toEqual(['kept']);
    expect(content('kept')).toBe('a');
  });

  test('a name without its bytes: folder synced, file not', async () => {
    write('empty', 'never synced', false);
    disk.syncDir(root);
    await lose(0);
    expect(content('empty')).toBe('');
  });

  test('unsynced removals come back, of files and of whole folders', async () => {
    disk.makeDir(at('d/e'));
    disk.syncDir(at('d'));
    write('d/e/f', 'deep');
    write('g', 'flat');
    disk.syncDir(at('d/e'));
    disk.syncDir(root);
    disk.remove(at('d'));
    disk.remove(at('g'));
    await lose(0);
    expect(content('d/e/f')).toBe('deep');
    expect(content('g')).toBe('flat');
  });

  test('synced removals stay', async () => {
    write('f', 'x');
    disk.syncDir(root);
    disk.remove(at('f'));
    disk.syncDir(root);
    await lose(0);
    expect(readdirSync(root)).toEqual([]);
  });

  test('an unsynced rename over a file brings the old one back, a synced one keeps the new', async () => {
    write('m', 'old');
    disk.syncDir(root);
    write('m.tmp', 'new');
    disk.rename(at('m.tmp'), at('m'));
    await lose(0);
    expect(readdirSync(root)).toEqual(['m']);
    expect(content('m')).toBe('old');
  });

  test('a rename whose file was not synced can expose an empty file', async () => {
    write('m.tmp', 'new', false);
    disk.rename(at('m.tmp'), at('m'));
    disk.syncDir(root);
    await lose(0);
    expect(content('m')).toBe('');
  });

  test('an unsynced truncation brings the bytes back; one that was synced does not', async () => {
    for (const name of ['a', 'b']) write(name, '0123456789');
    disk.syncDir(root);
    for (const name of ['a', 'b']) disk.truncate(at(name), 4);
    const b = disk.openAppend(at('b'));
    await b.append([bytes('B')]);
    await b.sync();
    const a = disk.openAppend(at('a'));
    await a.append([bytes('A')]);
    await lose(0);
    expect(content('a')).toBe('0123456789');
    expect(content('b')).toBe('0123B');
  });

  test('what was there before counts as durable, also under a file that is then appended to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-faulty-'));
    writeFileSync(join(folder, 'old'), 'before');
    const second = new FaultyDisk(folder);
    const file = second.openAppend(join(folder, 'old'));
    await file.append([bytes(' after')]);
    await second.powerLoss({ keepUnsynced: 0, seed: 1 });
    expect(readFileSync(join(folder, 'old'), 'utf8')).toBe('before');
    rmSync(folder, { recursive: true });
  });

  test('makeDir of several levels: the parents are durable, the last name only after syncDir', async () => {
    disk.makeDir(at('a/b/c'));
    await lose(0);
    expect(readdirSync(at('a/b'))).toEqual([]);
  });

  test('foreign files are never touched, and move with their folder', async () => {
    disk.makeDir(at('index.tmp'));
    disk.syncDir(root);
    disk.foreign('lmdb', () => writeFileSync(at('index.tmp/data.mdb'), 'pages'));
    disk.rename(at('index.tmp'), at('index'));
    disk.foreign('lmdb', () => writeFileSync(at('index/data.mdb'), 'more pages'));
    await lose(0);
    expect(content('index.tmp/data.mdb')).toBe('more pages');
    expect(existsSync(at('index'))).toBe(false);
  });

  test('0.5: tails are cut at any byte, never below what was synced; the same seed gives the same result', async () => {
    const script = async (on: FaultyDisk, path: (name: string) => string): Promise<void> => {
      const log = on.openAppend(path('log'));
      on.syncDir(dirname(path('log')));
      await log.append([bytes('AAAA')]);
      await log.sync();
      await log.append([bytes('bbbbbb')]);
    };
    const show = (path: (name: string) => string): string => readFileSync(path('log'), 'latin1');
    const seen = await outcomes(script, show);
    expect(await outcomes(script, show)).toEqual(seen);
    const lengths = new Set(seen.map((text) => text.length));
    expect([...lengths].sort((a, b) => a - b)).toEqual([4, 5, 6, 7, 8, 9, 10]);
    for (const text of seen) expect(text).toMatch(/^AAAA[b\0]*$/);
    expect(
      seen.some((text) => text.includes('\0')),
      'length without bytes',
    ).toBe(true);
  });

  test('0.5: unsynced names survive in every combination, a rename always whole', async () => {
    const seen = await outcomes(
      (on, path) => {
        replaceFile(on, path('m'), bytes('old'));
        const file = on.createFile(path('n'));
        file.close();
        const fresh = on.createFile(path('t'));
        fresh.write(bytes('new'));
        fresh.sync();
        fresh.close();
        on.syncDir(dirname(path('t')));
        on.rename(path('t'), path('m'));
        on.remove(path('n'));
      },
      (path) => `${readdirSync(dirname(path('m'))).join()} ${readFileSync(path('m'), 'utf8')}`,
    );
    expect(seen).toEqual(['m new', 'm,n new', 'm,n,t old', 'm,t old']);
  });

  test('0.5: a removed folder can come back half', async () => {
    const seen = await outcomes(
      (on, path) => {
        on.makeDir(path('d'));
        for (const name of ['d/a', 'd/b']) replaceFile(on, path(name), bytes('x'));
        on.syncDir(dirname(path('d')));
        on.remove(path('d'));
      },
      (path) => (existsSync(path('d')) ? readdirSync(path('d')).join() : 'gone'),
    );
    expect(seen).toEqual(['', 'a', 'a,b', 'b', 'gone']);
  });

  test('a rename between folders of which one was synced may leave the file in both', async () => {
    disk.makeDir(at('a'));
    disk.makeDir(at('b'));
    write('a/f', 'x');
    disk.syncDir(at('a'));
    disk.syncDir(root);
    disk.rename(at('a/f'), at('b/f'));
    disk.syncDir(at('b'));
    await lose(0);
    expect(content('a/f')).toBe('x');
    expect(content('b/f')).toBe('x');
  });

  test('a hard link keeps the bytes when the other name goes', async () => {
    write('f', 'x');
    disk.link(at('f'), at('g'));
    disk.syncDir(root);
    disk.remove(at('f'));
    disk.syncDir(root);
    await lose(0);
    expect(readdirSync(root)).toEqual(['g']);
    expect(content('g')).toBe('x');
  });

  test('an append that is under way is waited for', async () => {
    const log = disk.openAppend(at('log'));
    disk.syncDir(root);
    const append = log.append([new Uint8Array(8 << 20)]);
    await lose(1);
    await append;
    expect(readFileSync(at('log')).length).toBe(8 << 20);
  });
});

test('replaceFile is atomic: crash before or after every call, power lost, then the old bytes or the new', async () => {
  replaceFile(disk, at('counted'), bytes('new'));
  for (const { k, before, label, ...survival } of crashPoints(disk.callCount, 3)) {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-faulty-'));
    writeFileSync(join(folder, 'm'), 'old');
    const one = new FaultyDisk(folder);
    one.crashAfter(k, { before });
    let isAcknowledged = false;
    try {
      replaceFile(one, join(folder, 'm'), bytes('new'));
      isAcknowledged = true;
    } catch (error) {
      expect(error).toBeInstanceOf(CrashError);
    }
    await one.powerLoss(survival);
    const found = readFileSync(join(folder, 'm'), 'utf8');
    expect(isAcknowledged ? ['new'] : ['old', 'new'], label).toContain(found);
    rmSync(folder, { recursive: true });
  }
});

test('crashPoints goes before and after each call, with nothing, everything and every toss kept', () => {
  const points = [...crashPoints(2, 2)];
  expect(points.length).toBe(2 * 2 * 4);
  expect(new Set(points.map((point) => point.label)).size).toBe(points.length);
  expect(points.map(({ k }) => k)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
});
