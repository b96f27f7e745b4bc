// Copies a snapshot of a running node over HTTP into a folder, as rsync would: files that are there already are kept, because
// parts and sealed log files never change, and a file that broke off goes on where it ended.
import { dirname, join } from 'node:path';
import { writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import { walkFiles, type FoundFile } from '../disk/walk-files.ts';
import { MANIFEST_FILE, parseManifest } from '../partition/manifest.ts';
import { BodyReader, unbroken, type NodeClient } from './node-client.ts';

/** Bytes written at once. */
const CHUNK_BYTES = 1 << 20;

export interface SnapshotCopy {
  readonly disk: Disk;
  readonly from: NodeClient;
  /** The name of the snapshot on the node. */
  readonly name: string;
  /** An existing folder; it may have files of an earlier copy of the same day. */
  readonly target: string;
}

/** The files of the snapshot, copied and fsynced; what else was in the folder is gone. `progress` counts every byte. */
export async function copySnapshot(
  copy: SnapshotCopy,
  progress: (sizeBytes: number, file: string, totalBytes: number) => void,
): Promise<readonly FoundFile[]> {
  const { disk, target } = copy;
  const manifestPath = join(target, MANIFEST_FILE);
  disk.remove(manifestPath);
  const bytes = new Uint8Array(
    await (await copy.from.call(pathOf(copy, MANIFEST_FILE), { method: 'GET' })).arrayBuffer(),
  );
  const { files } = parseManifest(bytes, `${copy.from.url} ${copy.name}`);
  const wanted = new Set(files.map(({ name }) => name));
  for (const { name } of walkFiles(target))
    if (!wanted.has(name) || !isImmutable(name)) disk.remove(join(target, name));
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const folders = new Set<string>([target]);
  for (const file of files) {
    const folder = dirname(join(target, file.name));
    if (!folders.has(folder)) disk.makeDir(folder);
    folders.add(folder);
    await copyFile(copy, file, (sizeBytes) => progress(sizeBytes, file.name, totalBytes));
  }
  // The manifest comes last: a folder with one is complete.
  writeWholeFile(disk, manifestPath, bytes);
  for (const folder of folders) disk.syncDir(folder);
  return files;
}

/** The index is another in each snapshot. */
function isImmutable(name: string): boolean {
  return name.startsWith('parts/') || name.startsWith('log/');
}

async function copyFile(copy: SnapshotCopy, file: FoundFile, progress: (sizeBytes: number) => void): Promise<void> {
  const path = join(copy.target, file.name);
  let have = copy.disk.stat(path)?.sizeBytes ?? 0;
  if (have > file.sizeBytes) {
    copy.disk.remove(path);
    have = 0;
  }
  progress(have);
  await unbroken(() => appendRest(copy, file, progress));
}

/** Appends what the file lacks, and syncs it. */
async function appendRest(
  { disk, from, name, target }: SnapshotCopy,
  file: FoundFile,
  progress: (sizeBytes: number) => void,
): Promise<void> {
  const output = disk.openAppend(join(target, file.name));
  const left = (): number => file.sizeBytes - output.sizeBytes;
  try {
    const headers = { range: `bytes=${output.sizeBytes}-` };
    const call = { method: 'GET', headers, expected: [206] } as const;
    const body = left() === 0 ? undefined : new BodyReader(await from.call(pathOf({ name }, file.name), call));
    while (body !== undefined && left() > 0) {
      const chunk = await body.read(Math.min(CHUNK_BYTES, left()));
      if (chunk === undefined) throw body.brokenOff();
      await output.append([chunk]);
      progress(chunk.length);
    }
    await output.sync();
  } finally {
    await output.close();
  }
}

function pathOf({ name }: Pick<SnapshotCopy, 'name'>, file: string): string {
  return `/internal/partition/snapshot/file/${name}/${file}`;
}
