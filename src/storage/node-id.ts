// The identity of a store in a cluster: a random id in its data directory, made at the first start. It moves with the data and
// never changes. A directory that is copied as a whole carries it along: remove the file from one of the copies.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { readWholeFile, replaceFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';

export const NODE_ID_FILE = 'node-id';
const ID_BYTES = 8;

/** The id of the store in `path`: 16 hex digits. The caller owns the directory. Throws CORRUPTION, DISK. */
export function takeNodeId(disk: Disk, path: string): string {
  const file = join(path, NODE_ID_FILE);
  if (disk.stat(file) === undefined) replaceFile(disk, file, Buffer.from(`${randomBytes(ID_BYTES).toString('hex')}\n`));
  const text = Buffer.from(readWholeFile(disk, file, 1_024))
    .toString('utf8')
    .trim();
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  const remedy = 'write the 16 hex digits that other nodes know it by, or set -storageNode.name';
  throw new StoreError('CORRUPTION', `${file}: expected 16 hex digits; ${remedy}`);
}
