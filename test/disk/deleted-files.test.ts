import { linkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deletedFilesHeld } from '../../src/disk/deleted-files.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

test.skipIf(process.platform !== 'linux')(
  'a deleted file counts while it is open, once, if nothing else names it',
  () => {
    using folder = new TemporaryFolder();
    using other = new TemporaryFolder();
    const [kept, deleted, linked, elsewhere] = [
      join(folder.path, 'kept'),
      join(folder.path, 'deleted'),
      join(folder.path, 'linked'),
      join(other.path, 'elsewhere'),
    ];
    for (const path of [kept, deleted, linked, elsewhere]) writeFileSync(path, 'x'.repeat(1000));
    linkSync(linked, join(folder.path, 'snapshot'));
    const files = [kept, deleted, deleted, linked, elsewhere].map((path) => nodeDisk.openRead(path));
    expect(deletedFilesHeld(folder.path)).toEqual({ files: 0, bytes: 0 });
    for (const path of [deleted, linked, elsewhere]) rmSync(path);
    expect(deletedFilesHeld(folder.path)).toEqual({ files: 1, bytes: 1000 });
    // As a data directory that is a symbolic link.
    symlinkSync(folder.path, join(other.path, 'link'));
    expect(deletedFilesHeld(join(other.path, 'link'))).toEqual({ files: 1, bytes: 1000 });
    for (const file of files) file.close();
    expect(deletedFilesHeld(folder.path)).toEqual({ files: 0, bytes: 0 });
    expect(deletedFilesHeld(join(folder.path, 'nowhere'))).toEqual({ files: 0, bytes: 0 });
  },
);
