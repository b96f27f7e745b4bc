// A disk on a real folder of which one call fails, reads included, and which knows what is open: for finding
// whoever leaves a descriptor behind when an opening fails half-way.
import type { AppendFile, Disk, ReadFile, WriteFile } from '../../src/disk/disk.ts';
import { diskError, nodeDisk } from '../../src/disk/node-disk.ts';

export class FailOnceDisk {
  /** Names of all calls, the failed one among them. */
  readonly calls: string[] = [];
  /** Paths that are open now. */
  readonly open = new Set<{ readonly path: string }>();
  readonly disk: Disk;
  readonly #failAt: number;

  /** Call number `failAt`, from 1, throws DISK and does nothing; a close that fails closes all the same. */
  constructor(failAt = 0) {
    this.#failAt = failAt;
    const counted = <A extends unknown[], R>(name: string, call: (...args: A) => R) => {
      return (...args: A): R => {
        this.#count(name, String(args[0]));
        return call(...args);
      };
    };
    this.disk = {
      openAppend: (path) => this.#append(path),
      createFile: (path) => this.#create(path),
      openRead: (path) => this.#read(path),
      list: counted('list', nodeDisk.list),
      stat: counted('stat', nodeDisk.stat),
      makeDir: counted('makeDir', nodeDisk.makeDir),
      syncDir: counted('syncDir', nodeDisk.syncDir),
      rename: counted('rename', nodeDisk.rename),
      remove: counted('remove', nodeDisk.remove),
      removeAsync: counted('removeAsync', nodeDisk.removeAsync),
      link: counted('link', nodeDisk.link),
      truncate: counted('truncate', nodeDisk.truncate),
      freeBytes: nodeDisk.freeBytes,
      totalBytes: nodeDisk.totalBytes,
      foreign: (name, action) => {
        this.#count('foreign', name);
        return action();
      },
    };
  }

  get hasFailed(): boolean {
    return this.#failAt > 0 && this.calls.length >= this.#failAt;
  }

  #count(name: string, path: string): void {
    this.calls.push(`${name} ${path}`);
    if (this.calls.length !== this.#failAt) return;
    throw diskError(name, path, Object.assign(new Error('EIO: made to fail'), { code: 'EIO' }));
  }

  #opened<F extends { readonly path: string }>(file: F): F {
    this.open.add(file);
    return file;
  }

  #read(path: string): ReadFile {
    this.#count('openRead', path);
    const file = nodeDisk.openRead(path);
    const opened = this.#opened<ReadFile>({
      path,
      sizeBytes: file.sizeBytes,
      read: (offset, sizeBytes) => {
        this.#count('read', path);
        return file.read(offset, sizeBytes);
      },
      close: () => {
        file.close();
        this.open.delete(opened);
      },
    });
    return opened;
  }

  #create(path: string): WriteFile {
    this.#count('createFile', path);
    const file = nodeDisk.createFile(path);
    const opened = this.#opened<WriteFile>({
      path,
      get sizeBytes() {
        return file.sizeBytes;
      },
      write: (bytes) => {
        this.#count('write', path);
        file.write(bytes);
      },
      sync: () => {
        this.#count('sync', path);
        file.sync();
      },
      close: () => {
        file.close();
        if (this.open.delete(opened)) this.#count('close', path);
      },
    });
    return opened;
  }

  #append(path: string): AppendFile {
    this.#count('openAppend', path);
    const file = nodeDisk.openAppend(path);
    const opened = this.#opened<AppendFile>({
      path,
      get sizeBytes() {
        return file.sizeBytes;
      },
      append: async (chunks) => {
        this.#count('append', path);
        await file.append(chunks);
      },
      sync: async () => {
        this.#count('sync', path);
        await file.sync();
      },
      close: async () => {
        await file.close();
        if (this.open.delete(opened)) this.#count('close', path);
      },
    });
    return opened;
  }
}
