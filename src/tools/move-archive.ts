// The archived traces of a node that is emptied, copied to the node on this machine, each with every span that one of them has of it.
// A file gets its name once it is whole and fsynced, as from the node itself, so a copy may be interrupted and begun again.
import { dirname, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { ARCHIVE_FOLDER, archivedPath } from '../archive/archive-folder.ts';
import { decodeArchivedTrace, encodeArchivedTrace } from '../archive/archived-trace.ts';
import { StoreError } from '../base/errors.ts';
import { readWholeFile, writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import { joinTrace } from '../query/find-traces.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { Tenant } from '../trace/tenant.ts';
import { ARCHIVE, askTenants, readIds, readTraces } from './copy-day.ts';
import type { NodeClient } from './node-client.ts';
import { Ticker } from './progress.ts';
import type { Terminal } from './terminal.ts';

export interface ArchiveMove {
  readonly disk: Disk;
  readonly from: NodeClient;
  /** -storageDataPath of the node on this machine. */
  readonly dataPath: string;
  readonly terminal: Terminal;
}

/** Resolves when every archived trace is durable here. Throws UNAVAILABLE, also if the source cannot read one of them; DISK. */
export async function moveArchive(move: ArchiveMove): Promise<void> {
  const { from, terminal } = move;
  const ticker = new Ticker(terminal, 'move archive');
  let traces = 0;
  for (const tenant of await askTenants(from, ARCHIVE)) {
    for (const id of await readIds(from, ARCHIVE, tenant)) {
      await moveTrace(move, tenant as Tenant, id);
      ticker.tell(`${++traces} traces copied`);
    }
  }
  ticker.clear();
  if (traces > 0) terminal.out(`archive: ${traces} traces copied\n`);
}

async function moveTrace({ disk, from, dataPath }: ArchiveMove, tenant: Tenant, id: Buffer): Promise<void> {
  const name = formatTraceId(id);
  const found: Uint8Array[] = [];
  for await (const otlp of readTraces({ from, tenant }, [id])) found.push(otlp);
  if (found.length === 0) {
    const what = `${from.url} cannot read its archived trace ${name} of tenant ${tenant}`;
    throw new StoreError(
      'UNAVAILABLE',
      `${what}: verify its data directory, delete or restore that file, and run it again`,
    );
  }
  const path = join(dataPath, ARCHIVE_FOLDER, archivedPath(tenant, id));
  const own = disk.stat(path) === undefined ? [] : [decodeArchivedTrace(readWholeFile(disk, path), path).trace.otlp];
  const otlp = joinTrace([...own, ...found]);
  if (own[0] !== undefined && Buffer.compare(own[0], otlp) === 0) return;
  // Not beside its place: the node may be archiving the same trace.
  const stage = join(dataPath, 'restore', `${name}.trace`);
  disk.makeDir(dirname(stage));
  disk.remove(stage);
  const file = encodeArchivedTrace(tenant, { traceId: id, otlp }, zstdCompressSync(otlp));
  writeWholeFile(disk, stage, Buffer.concat(file));
  const folder = dirname(path);
  disk.makeDir(folder);
  disk.rename(stage, path);
  for (const above of [folder, dirname(folder), dirname(dirname(folder)), dataPath]) disk.syncDir(above);
}
