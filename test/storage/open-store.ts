// Opens a Storage for tests: real files, merges on the calling thread, no timer, a clock that stands still.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../src/base/logger.ts';
import type { Disk } from '../../src/disk/disk.ts';
import type { DirectoryLock } from '../../src/disk/lock.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import { Storage, type StorageOptions } from '../../src/storage/storage.ts';
import { FakeClock } from '../support/fake-clock.ts';

export const DAY_MS = 86_400_000;

/** A folder of its own that goes when the test is done. */
export class TemporaryFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'tracelith-test-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Nobody else uses a temporary folder. The lock itself has tests in test/disk. */
export function freeLock(path: string): DirectoryLock {
  return { path, release: () => undefined, [Symbol.dispose]: () => undefined };
}

/** Log lines go here instead of to stderr. */
export function memoryLog(lines: string[] = []): StorageOptions['logger'] {
  return createLogger({ write: (line) => lines.push(line) });
}

export function openStore(path: string, options: Partial<StorageOptions> = {}): Storage {
  const disk: Disk = options.disk ?? nodeDisk;
  return Storage.open({
    path,
    disk,
    clock: new FakeClock(),
    logger: memoryLog(),
    retentionMs: 7 * DAY_MS,
    futureRetentionMs: 2 * DAY_MS,
    freeDiskBytesMin: 0,
    diskBytesMax: 0,
    diskPercentMax: 0,
    flushIntervalMs: 10_000,
    tenantsMax: 10_000,
    snapshotsMaxAgeMs: 3 * DAY_MS,
    clockJumpGraceMs: 3_600_000,
    mergeRunner: inlineMergeRunner(disk),
    takeLock: freeLock,
    ...options,
  });
}
