// Traces that people chose to keep, one file each: `<data path>/archive/<account>-<project>/<2 hex digits>/<trace
// id>.trace`. Retention never removes them. A file gets its name once whole and fsynced; archiving again replaces it in
// one step. It runs on the main thread, so all slow work is asynchronous. Bounded by bytes and by number.
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { Disk } from '../disk/disk.ts';
import { TEMPORARY_SUFFIX } from '../disk/atomic-write.ts';
import { ARCHIVED_BYTES_MAX, encodeArchivedTrace } from './archived-trace.ts';
import { quarantine } from '../quarantine/quarantine.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { FoundTrace } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';

export interface ArchiveFolderOptions {
  /** The data directory, locked by this process. */
  readonly path: string;
  readonly disk: Disk;
  /** Maximum total size of the files. */
  readonly bytesMax: number;
  /** Minimum free space on the disk. */
  readonly freeDiskBytesMin: number;
}

/** The folder of a data directory's archive. */
export const ARCHIVE_FOLDER = 'archive';
const TENANT_FOLDER = /^(\d{1,10})-(\d{1,10})$/;
const SHARD_FOLDER = /^[0-9a-f]{2}$/;
const FILE = /^[0-9a-f]{32}\.trace$/;

/** The file of a trace of `tenant`, below ARCHIVE_FOLDER. Made of numbers and hex digits alone, never of a client's text. */
export function archivedPath(tenant: Tenant, traceId: Uint8Array): string {
  const id = formatTraceId(traceId);
  return join(tenant.replace(':', '-'), id.slice(-2), `${id}.trace`);
}

/** Whose trace the file `path` is, by its name; undefined: an unfinished file. */
export function archivedTraceOf(path: string): { readonly tenant: Tenant; readonly traceId: Buffer } | undefined {
  const name = basename(path);
  if (!FILE.test(name)) return undefined;
  const tenant = basename(dirname(dirname(path))).replace('-', ':') as Tenant;
  return { tenant, traceId: Buffer.from(name.slice(0, 32), 'hex') };
}

const compress = promisify(zstdCompress);

export class ArchiveFolder {
  readonly #options: ArchiveFolderOptions;
  readonly #path: string;
  /** The next start counts files that a restore adds meanwhile. */
  #traces = 0;
  #bytes = 0;

  /** Counts the files and removes unfinished ones that a crash left. Throws DISK. */
  constructor(options: ArchiveFolderOptions) {
    this.#options = options;
    this.#path = join(options.path, ARCHIVE_FOLDER);
    for (const path of archiveFiles(options.disk, this.#path)) {
      if (path.endsWith(TEMPORARY_SUFFIX)) options.disk.remove(path);
      else this.#count(options.disk.stat(path)?.sizeBytes ?? 0, undefined);
    }
  }

  get traces(): number {
    return this.#traces;
  }

  /** Total size of the files. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The file of an archived trace (16 bytes); undefined when it is not archived. Asks the disk each time (1 µs), so
   * that files added by a restore are found at once.
   */
  find(tenant: Tenant, traceId: Uint8Array): string | undefined {
    const path = this.#pathOf(tenant, traceId);
    return this.#options.disk.stat(path) === undefined ? undefined : path;
  }

  /**
   * Writes the trace's file, replacing an older one; resolves when it is fsynced under its name. Do not call it again
   * before. If `trace` may be incomplete, for the reasons in `lacking`, the older file is first copied to quarantine.
   * Throws LIMIT_EXCEEDED (the archive is full), READ_ONLY, DISK.
   */
  async put(tenant: Tenant, trace: FoundTrace, lacking: readonly string[] = []): Promise<void> {
    const { disk, path: dataPath } = this.#options;
    assert(trace.traceId.length === 16, `a trace id of ${trace.traceId.length} bytes is archived`);
    if (trace.otlp.length > ARCHIVED_BYTES_MAX) throw tooLarge(trace);
    const zstd = await compress(trace.otlp);
    const path = this.#pathOf(tenant, trace.traceId);
    const chunks = encodeArchivedTrace(tenant, trace, zstd);
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const before = disk.stat(path)?.sizeBytes;
    this.#assertRoom(sizeBytes, before);
    this.#makeFolder(dirname(path));
    const temporary = path + TEMPORARY_SUFFIX;
    disk.remove(temporary);
    const file = disk.openAppend(temporary);
    try {
      await file.append(chunks);
      await file.sync();
    } finally {
      await file.close();
    }
    if (before !== undefined && lacking.length > 0) {
      const place = { path, offset: 0, sizeBytes: before, message: lacking.join('\n') };
      quarantine(disk, join(dataPath, 'quarantine'), place);
    }
    disk.rename(temporary, path);
    disk.syncDir(dirname(path));
    this.#count(sizeBytes, before);
  }

  /** Ids of the tenant's archived traces. Throws DISK. */
  list(tenant: Tenant): Uint8Array[] {
    return archiveFiles(this.#options.disk, this.#path)
      .flatMap((path) => archivedTraceOf(path) ?? [])
      .flatMap((file) => (file.tenant === tenant ? [file.traceId] : []));
  }

  /** Removes the trace's file; false when there is none. Throws DISK. */
  delete(tenant: Tenant, traceId: Uint8Array): boolean {
    const { disk } = this.#options;
    const path = this.#pathOf(tenant, traceId);
    const stat = disk.stat(path);
    if (stat === undefined) return false;
    disk.remove(path);
    disk.syncDir(dirname(path));
    // A file added by a restore was never counted.
    this.#traces = Math.max(0, this.#traces - 1);
    this.#bytes = Math.max(0, this.#bytes - stat.sizeBytes);
    return true;
  }

  /** Removes all files. Throws DISK. */
  deleteAll(): void {
    const { disk, path } = this.#options;
    disk.remove(this.#path);
    disk.syncDir(path);
    this.#traces = 0;
    this.#bytes = 0;
  }

  #pathOf(tenant: Tenant, traceId: Uint8Array): string {
    return join(this.#path, archivedPath(tenant, traceId));
  }

  /** `before` is the size of the replaced file; undefined: there was none. */
  #count(sizeBytes: number, before: number | undefined): void {
    assert(sizeBytes >= 0 && (before ?? 0) >= 0, `a file of ${sizeBytes} bytes in the place of ${before}`);
    this.#bytes += sizeBytes - (before ?? 0);
    if (before === undefined) this.#traces++;
  }

  #assertRoom(sizeBytes: number, before: number | undefined): void {
    const { disk, bytesMax, freeDiskBytesMin, path: dataPath } = this.#options;
    const bytes = this.#bytes - (before ?? 0) + sizeBytes;
    if (bytes > bytesMax) {
      throw full(`${bytes} bytes would be more than -archive.maxDiskSpaceUsageBytes=${bytesMax}`);
    }
    if (before === undefined && this.#traces >= limits.archivedTracesMax) {
      throw full(`it has ${limits.archivedTracesMax} traces, and may have no more`);
    }
    if (disk.freeBytes(dataPath) - sizeBytes < freeDiskBytesMin) {
      throw new StoreError(
        'READ_ONLY',
        `${dataPath}: archiving ${sizeBytes} bytes would leave less than ` +
          `-storage.minFreeDiskSpaceBytes=${freeDiskBytesMin} free; free space, then archive again`,
      );
    }
  }

  /** Makes each folder's name durable before any file in it is reported durable. */
  #makeFolder(folder: string): void {
    const { disk, path } = this.#options;
    if (disk.stat(folder) !== undefined) return;
    if (folder !== path) this.#makeFolder(dirname(folder));
    disk.makeDir(folder);
    disk.syncDir(dirname(folder));
  }
}

/** Paths of all files of an archive, unfinished ones included; other files are not ours. Throws DISK. */
export function archiveFiles(disk: Disk, archive: string): string[] {
  if (disk.stat(archive) === undefined) return [];
  const inside = (folder: string, pattern: RegExp): string[] =>
    disk
      .list(folder)
      .filter((name) => pattern.test(name))
      .map((name) => join(folder, name));
  const shards = inside(archive, TENANT_FOLDER).flatMap((tenant) => inside(tenant, SHARD_FOLDER));
  const isOurs = (name: string): boolean => FILE.test(name.replace(/\.tmp$/, ''));
  return shards.flatMap((shard) =>
    disk
      .list(shard)
      .filter(isOurs)
      .map((name) => join(shard, name)),
  );
}

function tooLarge({ traceId, otlp }: FoundTrace): StoreError {
  return new StoreError(
    'LIMIT_EXCEEDED',
    `trace ${formatTraceId(traceId)} has ${otlp.length} bytes, at most ${ARCHIVED_BYTES_MAX} can be archived`,
  );
}

function full(why: string): StoreError {
  return new StoreError(
    'LIMIT_EXCEEDED',
    `the archive is full: ${why}. Delete archived traces (DELETE /api/archive/<trace id>), or raise the limit`,
  );
}
