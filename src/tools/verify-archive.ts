// Reads every file of an archive and checks its checksums, and that its place fits its trace and tenant. Changes nothing.
import { isStoreError } from '../base/errors.ts';
import { readWholeFile, TEMPORARY_SUFFIX } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import { decodeArchivedTrace } from '../archive/archived-trace.ts';
import { archivedPath, archiveFiles } from '../archive/archive-folder.ts';
import type { Findings } from './verify-part.ts';

/** Returns the number of archived traces. Throws DISK, FORMAT_TOO_NEW. */
export function verifyArchive(disk: Disk, path: string, findings: Findings): number {
  const files = archiveFiles(disk, path).filter((file) => !file.endsWith(TEMPORARY_SUFFIX));
  for (const file of files) {
    try {
      const bytes = readWholeFile(disk, file);
      const { tenant, trace } = decodeArchivedTrace(bytes, file);
      const place = archivedPath(tenant, trace.traceId);
      if (!file.endsWith(`/${place}`)) findings.damaged(`${file}: holds the trace of ${place}`);
      findings.checked(bytes.length, file);
    } catch (error) {
      if (!isStoreError(error, 'CORRUPTION')) throw error;
      findings.damaged(error.message);
    }
  }
  return files.length;
}
