// The only access to the file system. All storage code uses a Disk, so that tests can crash the program after any call,
// fail any call, and drop unsynced data. No other file of src/ imports node:fs for data. Calls are synchronous, because
// they run on threads without latency-critical work (merge, query, recovery). Only the log, whose fdatasync must
// overlap with receiving, and the removal of whole days are asynchronous. Failures are StoreError DISK with the path
// and errno text.

export interface FileStat {
  readonly sizeBytes: number;
  readonly isDirectory: boolean;
  /** Number of names of the file: if there are several, removing one of them frees nothing. */
  readonly links: number;
}

/** A file opened for appending; owned by one writer. After a failed append or sync it must not be written again. */
export interface AppendFile {
  readonly path: string;
  /** Bytes appended so far, including those not yet synced. */
  readonly sizeBytes: number;
  /** Appends all of `chunks` in order (one writev). Not durable until sync() resolves. */
  append(chunks: readonly Uint8Array[]): Promise<void>;
  /** fdatasync. A failure is final: the page cache may have dropped the data (fsyncgate), so never retry. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A new file being written once, start to end; durable after sync() of it and syncDir() of its folder. */
export interface WriteFile {
  readonly path: string;
  readonly sizeBytes: number;
  write(bytes: Uint8Array): void;
  sync(): void;
  close(): void;
}

export interface ReadFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Exactly `sizeBytes` bytes from `offset`, owned by the caller; throws CORRUPTION when the file is shorter. */
  read(offset: number, sizeBytes: number): Uint8Array<ArrayBuffer>;
  /** Never throws: closing a file that was only read loses nothing. */
  close(): void;
}

/** The calls needed for reading. */
export type DiskReads = Pick<Disk, 'openRead' | 'stat'>;

export interface Disk {
  /** Opens the file to append at its end, or creates it in an existing folder, which the caller then syncs. */
  openAppend(path: string): AppendFile;
  /** Creates a file that must not exist yet. */
  createFile(path: string): WriteFile;
  /** Throws CORRUPTION when the file is missing: callers only open files that were written. */
  openRead(path: string): ReadFile;
  /** Names in `path`, sorted bytewise. */
  list(path: string): string[];
  /** undefined when the path does not exist. */
  stat(path: string): FileStat | undefined;
  makeDir(path: string): void;
  /** fsync of a folder: makes created, renamed and removed names in it durable. */
  syncDir(path: string): void;
  rename(from: string, to: string): void;
  /** Removes a file or a whole folder; a missing path is not an error. */
  remove(path: string): void;
  /** As remove(), for folders of any size, without blocking the calling thread. */
  removeAsync(path: string): Promise<void>;
  link(from: string, to: string): void;
  truncate(path: string, sizeBytes: number): void;
  /** Bytes an unprivileged writer can still use on the file system of `path`. */
  freeBytes(path: string): number;
  /** Upper bound of freeBytes: total − free is in use, as df counts (without the space reserved for root). */
  totalBytes(path: string): number;
  /**
   * Runs a durable commit made by foreign code (an LMDB transaction) as ONE disk call named `name`,
   * so that a test can crash before or after it, or make it fail.
   */
  foreign<T>(name: string, action: () => T): T;
}
