// Checks a folder before a running node opens it as a partition: it holds only real files and folders, no links, and, if it
// comes from a snapshot, every file of it. Without this check, an incomplete copy would be treated as damage.
import { join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import { assertPlainFolder, walkFiles } from '../disk/walk-files.ts';
import { formatDay } from './day.ts';
import { compareWithManifest, MANIFEST_BYTES_MAX, MANIFEST_FILE, parseManifest } from './manifest.ts';

/** Faults that one error message names at most. */
const FAULTS_SHOWN_MAX = 5;

/** Throws NOT_FOUND, INVALID_REQUEST, CORRUPTION, FORMAT_TOO_NEW. Changes nothing. */
export function checkRestored(disk: Disk, path: string, day: number): void {
  assertPlainFolder(path);
  const found = walkFiles(path);
  const manifestPath = join(path, MANIFEST_FILE);
  if (!found.some(({ name }) => name === MANIFEST_FILE)) return;
  const manifest = parseManifest(readWholeFile(disk, manifestPath, MANIFEST_BYTES_MAX), manifestPath);
  if (manifest.day !== day) {
    throw new StoreError(
      'INVALID_REQUEST',
      `${path}: holds the day ${formatDay(manifest.day)}; name the folder after it`,
    );
  }
  const faults = compareWithManifest(manifest, found);
  if (faults.length > 0) {
    const shown = faults.slice(0, FAULTS_SHOWN_MAX).join('; ');
    throw new StoreError(
      'INVALID_REQUEST',
      `${path}: not the whole snapshot (${faults.length} faults: ${shown}); copy it again`,
    );
  }
}
