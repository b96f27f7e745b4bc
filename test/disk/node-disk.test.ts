import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { isStoreError, type StoreError } from '../../src/base/errors.ts';
import { readWholeFile, replaceFile, TEMPORARY_SUFFIX, writeWholeFile } from '../../src/disk/atomic-write.ts';
import { diskError, errnoOf, nodeDisk } from '../../src/disk/node-disk.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-node-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('AppendFile', () => {
  test('appends every chunk in order and continues at the end after reopening', async () => {
    const path = join(folder, 'a.log');
    const first = nodeDisk.openAppend(path);
    await first.append([bytesOf('one'), new Uint8Array(0), bytesOf('two')]);
    await first.sync();
    expect(first.sizeBytes).toBe(6);
    await first.close();
    const second = nodeDisk.openAppend(path);
    expect(second.sizeBytes).toBe(6);
    await second.append([bytesOf('three')]);
    await second.append([]);
    await second.close();
    await second.close();
    expect(readFileSync(path, 'utf8')).toBe('onetwothree');
  });

  test('writes more chunks than one writev may take', async () => {
    const path = join(folder, 'many.log');
    const chunks = Array.from({ length: 5000 }, (_, i) => bytesOf(`${i};`));
    const file = nodeDisk.openAppend(path);
    await file.append(chunks);
    await file.close();
    expect(readFileSync(path)).toEqual(Buffer.concat(chunks));
  });

  test('finishes short writes: 40 MiB in uneven chunks arrive whole', async () => {
    const path = join(folder, 'big.log');
    const chunks = [1, 2 << 20, 17, 30 << 20, 8 << 20].map((size, i) => new Uint8Array(size).fill(i + 1));
    const file = nodeDisk.openAppend(path);
    await file.append(chunks);
    await file.close();
    expect(Buffer.compare(readFileSync(path), Buffer.concat(chunks))).toBe(0);
  });

  test('/dev/full: the append is DISK with path, call and errno, and every later call repeats it', async () => {
    const file = nodeDisk.openAppend('/dev/full');
    const failure = await file.append([bytesOf('x')]).catch((error: unknown) => error);
    expect(isStoreError(failure, 'DISK')).toBe(true);
    expect((failure as StoreError).message).toMatch(/^\/dev\/full: append failed: ENOSPC.*free space/);
    expect(errnoOf(failure)).toBe('ENOSPC');
    await expect(file.sync()).rejects.toBe(failure);
    await expect(file.append([bytesOf('y')])).rejects.toBe(failure);
    await file.close();
  });

  test('a second call while one is under way, and any call after close, is a bug', async () => {
    const file = nodeDisk.openAppend(join(folder, 'busy.log'));
    const append = file.append([bytesOf('x')]);
    await expect(file.sync()).rejects.toBeInstanceOf(BugError);
    await append;
    await file.close();
    await expect(file.append([bytesOf('x')])).rejects.toBeInstanceOf(BugError);
  });
});

describe('WriteFile and ReadFile', () => {
  test('round trip, ranges are exact and the result is the caller’s own', () => {
    const path = join(folder, 'f');
    const file = nodeDisk.createFile(path);
    file.write(bytesOf('hello '));
    file.write(bytesOf('world'));
    file.sync();
    expect(file.sizeBytes).toBe(11);
    file.close();
    const reader = nodeDisk.openRead(path);
    expect(reader.sizeBytes).toBe(11);
    const range = reader.read(6, 5);
    expect(Buffer.from(range).toString()).toBe('world');
    expect(range.byteOffset).toBe(0);
    expect(range.buffer.byteLength).toBe(5);
    expect(reader.read(11, 0).length).toBe(0);
    reader.close();
    reader.close();
  });

  test.each([
    [0, 12],
    [11, 1],
    [1e12, 1],
    [0, 1e15],
    [-1, 2],
    [0, -1],
    [Number.NaN, 1],
  ])('read(%d, %d) of 11 bytes is CORRUPTION and allocates nothing', (offset, size) => {
    const path = join(folder, 'short');
    writeFileSync(path, 'hello world');
    const reader = nodeDisk.openRead(path);
    const error = thrownBy(() => reader.read(offset, size));
    expect(isStoreError(error, 'CORRUPTION')).toBe(true);
    expect((error as StoreError).message).toContain(path);
    reader.close();
  });

  test('a file that shrank after it was opened is CORRUPTION', () => {
    const path = join(folder, 'shrinks');
    writeFileSync(path, 'hello world');
    const reader = nodeDisk.openRead(path);
    nodeDisk.truncate(path, 3);
    expect(
      isStoreError(
        thrownBy(() => reader.read(0, 11)),
        'CORRUPTION',
      ),
    ).toBe(true);
    reader.close();
  });

  test('createFile refuses a name that exists and leaves it alone', () => {
    const path = join(folder, 'there');
    writeFileSync(path, 'old');
    const error = thrownBy(() => nodeDisk.createFile(path));
    expect(errnoOf(error)).toBe('EEXIST');
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test('use after close is a bug', () => {
    const path = join(folder, 'closed');
    const file = nodeDisk.createFile(path);
    file.close();
    file.close();
    expect(() => file.write(bytesOf('x'))).toThrow(BugError);
    expect(() => file.sync()).toThrow(BugError);
    const reader = nodeDisk.openRead(path);
    reader.close();
    expect(() => reader.read(0, 0)).toThrow(BugError);
  });
});

describe('folders and names', () => {
  test('list is sorted bytewise, not by UTF-16 and not by locale', () => {
    const names = ['b', 'a', 'B', 'é', '\u{1F600}', '\uFF5E', '10', '9'];
    for (const name of names) writeFileSync(join(folder, name), '');
    expect(nodeDisk.list(folder)).toEqual(['10', '9', 'B', 'a', 'b', 'é', '\uFF5E', '\u{1F600}']);
  });

  test('makeDir makes missing parents, is content with an existing folder, refuses a file in the way', () => {
    const deep = join(folder, 'a/b/c');
    nodeDisk.makeDir(deep);
    nodeDisk.makeDir(deep);
    expect(nodeDisk.stat(deep)?.isDirectory).toBe(true);
    writeFileSync(join(folder, 'file'), '');
    expect(errnoOf(thrownBy(() => nodeDisk.makeDir(join(folder, 'file'))))).toBe('EEXIST');
    expect(errnoOf(thrownBy(() => nodeDisk.makeDir(join(folder, 'file/x'))))).toBe('ENOTDIR');
  });

  test('stat is undefined for nothing, and for something below a file', () => {
    writeFileSync(join(folder, 'file'), 'abc');
    expect(nodeDisk.stat(join(folder, 'nothing'))).toBeUndefined();
    expect(nodeDisk.stat(join(folder, 'file/below'))).toBeUndefined();
    expect(nodeDisk.stat(join(folder, 'file'))).toEqual({ sizeBytes: 3, isDirectory: false, links: 1 });
  });

  test('rename, link, truncate, remove, syncDir and freeBytes do what they say', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string];
    writeFileSync(a, 'abcdef');
    nodeDisk.link(a, b);
    nodeDisk.rename(a, c);
    nodeDisk.truncate(b, 2);
    expect(readFileSync(c, 'utf8')).toBe('ab');
    expect(nodeDisk.list(folder)).toEqual(['b', 'c']);
    nodeDisk.remove(b);
    nodeDisk.remove(b);
    nodeDisk.makeDir(join(folder, 'd/e'));
    nodeDisk.remove(join(folder, 'd'));
    nodeDisk.syncDir(folder);
    expect(nodeDisk.list(folder)).toEqual(['c']);
    expect(nodeDisk.freeBytes(folder)).toBeGreaterThan(0);
    expect(nodeDisk.totalBytes(folder)).toBeGreaterThan(nodeDisk.freeBytes(folder));
  });

  test('remove of a symbolic link leaves its target', () => {
    nodeDisk.makeDir(join(folder, 'target'));
    writeFileSync(join(folder, 'target/keep'), '');
    symlinkSync(join(folder, 'target'), join(folder, 'link'));
    nodeDisk.remove(join(folder, 'link'));
    expect(readdirSync(join(folder, 'target'))).toEqual(['keep']);
  });

  test('foreign runs the action once and passes its result and its error through', () => {
    expect(nodeDisk.foreign('x', () => 7)).toBe(7);
    const boom = new Error('boom');
    expect(
      thrownBy(() =>
        nodeDisk.foreign('x', () => {
          throw boom;
        }),
      ),
    ).toBe(boom);
  });
});

describe('errors', () => {
  const missing = '/nonexistent/folder/x';
  test.each([
    ['openAppend', () => nodeDisk.openAppend(missing)],
    ['createFile', () => nodeDisk.createFile(missing)],
    ['list', () => nodeDisk.list(missing)],
    ['syncDir', () => nodeDisk.syncDir(missing)],
    ['rename', () => nodeDisk.rename(missing, '/nonexistent/y')],
    ['link', () => nodeDisk.link(missing, '/nonexistent/y')],
    ['truncate', () => nodeDisk.truncate(missing, 0)],
    ['statfs', () => nodeDisk.freeBytes(missing)],
    ['statfs', () => nodeDisk.totalBytes(missing)],
  ] as const)('%s of a missing path is DISK with the path, the call, ENOENT and its cause', (call, action) => {
    const error = thrownBy(action) as StoreError;
    expect(isStoreError(error, 'DISK')).toBe(true);
    expect(error.message).toContain(`${call} failed: ENOENT`);
    expect(error.message).toContain(missing);
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
    expect(errnoOf(error)).toBe('ENOENT');
  });

  test('openRead of a missing file is CORRUPTION: whoever opens it knows that it was written', () => {
    const error = thrownBy(() => nodeDisk.openRead(missing)) as StoreError;
    expect([error.code, error.message, errnoOf(error)]).toEqual([
      'CORRUPTION',
      `${missing}: missing; restore it from a snapshot or a replica`,
      'ENOENT',
    ]);
  });

  test('diskError takes a hint, errnoOf knows no errno in other errors', () => {
    expect(diskError('sync', '/p', new Error('odd'), 'do this').message).toBe('/p: sync failed: odd; do this');
    expect(errnoOf(new Error('x'))).toBe('');
    expect(errnoOf('text')).toBe('');
    expect(errnoOf(Object.assign(new Error('x'), { code: 'ERR_OTHER' }))).toBe('');
  });
});

describe('atomic-write', () => {
  test('replaceFile replaces, and clears what a crash left behind', () => {
    const path = join(folder, 'm');
    writeFileSync(path + TEMPORARY_SUFFIX, 'half writt');
    replaceFile(nodeDisk, path, bytesOf('one'));
    replaceFile(nodeDisk, path, bytesOf('two'));
    expect(Buffer.from(readWholeFile(nodeDisk, path)).toString()).toBe('two');
    expect(nodeDisk.list(folder)).toEqual(['m']);
  });

  test('readWholeFile refuses more than the caller expects', () => {
    const path = join(folder, 'big');
    writeWholeFile(nodeDisk, path, new Uint8Array(11));
    expect(readWholeFile(nodeDisk, path, 11).length).toBe(11);
    expect(
      isStoreError(
        thrownBy(() => readWholeFile(nodeDisk, path, 10)),
        'CORRUPTION',
      ),
    ).toBe(true);
  });
});
