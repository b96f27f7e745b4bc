import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isStoreError, type StoreError } from '../../src/base/errors.ts';
import { LOCK_FILE, takeLock } from '../../src/disk/lock.ts';

const lockModule = new URL('../../src/disk/lock.ts', import.meta.url).href;
/** Says "locked" and keeps the lock until its standard input ends, or says why not. */
const holder = `
  import { takeLock } from '${lockModule}';
  try {
    takeLock(process.argv[1]);
    console.log('locked');
    process.stdin.resume();
    process.stdin.on('end', () => process.exit(0));
  } catch (error) { console.log(error.code, error.message); process.exit(1); }`;

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Starter {
  readonly child: ChildProcess;
  readonly said: string;
}

function start(path: string): Promise<Starter> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', holder, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stdout!.once('data', (data: Buffer) => resolve({ child, said: data.toString().trim() }));
  });
}

const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.on('exit', () => resolve()));

function refusal(path: string): StoreError {
  try {
    takeLock(path).release();
  } catch (error) {
    if (isStoreError(error, 'LOCKED')) return error;
    throw error;
  }
  throw new Error('the lock was given twice');
}

test('a second process is refused at once; the message names the directory, the holder and the way out', async () => {
  const { child, said } = await start(folder);
  expect(said).toBe('locked');
  expect(refusal(folder).message).toBe(
    `${folder}: process ${child.pid} already uses this data directory; stop it, or choose another -storageDataPath`,
  );
});

test('kill -9 frees the lock and leaves nothing but the empty file', async () => {
  const { child } = await start(folder);
  const end = ended(child);
  child.kill('SIGKILL');
  await end;
  using lock = takeLock(folder);
  expect(lock.path).toBe(folder);
  expect(readdirSync(folder)).toEqual([LOCK_FILE]);
});

test('of twelve starters at once exactly one gets the lock', async () => {
  const starters = await Promise.all(Array.from({ length: 12 }, () => start(folder)));
  const told = starters
    .map((starter) => starter.said.split(' ')[0])
    .toSorted((a = '', b = '') => (a < b ? -1 : Number(a > b)));
  expect(told).toEqual([...Array.from({ length: 11 }, () => 'LOCKED'), 'locked']);
});

test('two locks in one process conflict, also by another path; release lets the next one in', () => {
  const other = `${folder}-link`;
  symlinkSync(folder, other);
  try {
    const lock = takeLock(folder);
    expect(refusal(folder).message).toContain(`this process (pid ${process.pid})`);
    refusal(other);
    // The refused attempts must not have dropped the first one's lock, as closing a descriptor would in POSIX.
    refusal(folder);
    lock.release();
    lock.release();
    takeLock(other).release();
  } finally {
    rmSync(other);
  }
});

test('a refused attempt in the holder leaves it locked for other processes', async () => {
  using lock = takeLock(folder);
  refusal(lock.path);
  expect((await start(folder)).said).toMatch(/^LOCKED/);
});

test('a worker thread of the same process is refused', async () => {
  using lock = takeLock(folder);
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     import(workerData.module).then(({ takeLock }) => takeLock(workerData.path))
       .then(() => parentPort.postMessage('locked'), (error) => parentPort.postMessage(error.code));`,
    { eval: true, workerData: { module: lockModule, path: lock.path } },
  );
  const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  expect(said).toBe('LOCKED');
});

test('garbage in the lock file does not keep the store from starting', () => {
  writeFileSync(join(folder, LOCK_FILE), 'not a database, not even close to one'.repeat(100));
  takeLock(folder).release();
});

test('a directory that is not there is DISK with its path', () => {
  const path = join(folder, 'nothing');
  expect(() => takeLock(path)).toThrow(
    expect.objectContaining({ code: 'DISK', message: expect.stringContaining(path) as string }),
  );
});
