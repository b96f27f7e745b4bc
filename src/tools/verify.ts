// `tracelith verify <dir>`: checks that all data is as it was written. Names damaged data and exits with 1.
import { basename } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { findPlaces, lockPlaces, type FoundPlaces } from './find-partitions.ts';
import { formatBytes, Progress } from './progress.ts';
import { EXIT_FAILED, EXIT_OK, type Terminal } from './terminal.ts';
import { verifyArchive } from './verify-archive.ts';
import { verifyPart, type Findings } from './verify-part.ts';
import { sizeOf, verifyPartition } from './verify-partition.ts';

/** Faults printed; the rest are counted. */
const FAULTS_SHOWN_MAX = 1_000;

/** Checks what is in `path`. Throws INVALID_REQUEST, LOCKED, DISK. */
export function verify(path: string, terminal: Terminal): number {
  const found = findPlaces(nodeDisk, path);
  using _lock = lockForVerify(found, terminal);
  const all = found.archive === undefined ? found.paths : [...found.paths, found.archive];
  const totalBytes = all.reduce((sum, one) => sum + sizeOf(one), 0);
  const progress = new Progress(terminal, 'verify', totalBytes);
  let faults = 0;
  const say = (text: string): void => {
    progress.clear();
    terminal.out(text);
  };
  const findings: Findings = {
    damaged: (message) => {
      if (++faults <= FAULTS_SHOWN_MAX) say(`damaged: ${message}\n`);
    },
    checked: (sizeBytes, file) => progress.add(sizeBytes, file),
  };
  const sums = { parts: 0, logFiles: 0, rows: 0 };
  for (const one of found.paths) {
    const { parts, logFiles, rows } = verifyOne(found.kind, one, findings, (note) => say(`note: ${note}\n`));
    sums.parts += parts;
    sums.logFiles += logFiles;
    sums.rows += rows;
  }
  const days = found.kind === 'part' ? '' : `${found.paths.length} days, `;
  const archived =
    found.archive === undefined ? '' : `${verifyArchive(nodeDisk, found.archive, findings)} archived traces, `;
  const read = `${archived}${days}${sums.parts} parts, ${sums.logFiles} log files, ${sums.rows} spans, ${formatBytes(totalBytes)}`;
  say(`${found.kind} ${path}: ${read}: ${faults === 0 ? 'intact' : `${faults} faults`}\n`);
  return faults === 0 ? EXIT_OK : EXIT_FAILED;
}

function verifyOne(
  kind: FoundPlaces['kind'],
  path: string,
  findings: Findings,
  note: (message: string) => void,
): { parts: number; logFiles: number; rows: number } {
  if (kind !== 'part') return verifyPartition(nodeDisk, path, findings, note);
  return { parts: 1, logFiles: 0, rows: verifyPart(nodeDisk, path, findings)?.rowCount ?? 0 };
}

/** Beside a running node, only a snapshot can be checked, because nothing writes to it. */
function lockForVerify(found: FoundPlaces, terminal: Terminal): Disposable | undefined {
  try {
    return lockPlaces(found);
  } catch (error) {
    if (isStoreError(error, 'LOCKED')) {
      const day = found.kind === 'data directory' ? '' : `?name=${basename(found.paths[0]!)}`;
      terminal.err(
        'verify: a node is writing there. Take a snapshot and verify that:\n' +
          `  curl -X POST <node>/internal/partition/snapshot/create${day}\n`,
      );
    }
    throw error;
  }
}
