// Who may read what is stored: the user of the process alone. Files of this program, of LMDB and of SQLite are created under
// the umask set here; a data directory that other users may enter, from an older version or made by hand, is closed to them.
import { chmodSync, statSync } from 'node:fs';

/** Group and others get nothing: directories 0700, files 0600. */
const PRIVATE_UMASK = 0o077;

/** New files and folders of the process are its user's alone. Call on the main thread, before anything is created. */
export function createPrivately(): void {
  process.umask(PRIVATE_UMASK);
}

/**
 * Closes the folder `path` to other users, if it exists and belongs to this user. False: other users may still enter it, because
 * it belongs to another user, as the volume of a container may, or its file system takes no modes.
 */
export function closeToOthers(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & PRIVATE_UMASK) === 0) return true;
  if (stat.uid !== process.getuid?.()) return false;
  try {
    chmodSync(path, stat.mode & ~PRIVATE_UMASK & 0o7777);
    return true;
  } catch {
    return false; // a read-only file system, or one without modes
  }
}
