// Ways in which one file of a data directory comes to harm, and a disk on which it cannot be read.
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Disk, ReadFile } from '../../src/disk/disk.ts';
import { diskError, nodeDisk } from '../../src/disk/node-disk.ts';

/** A disk that cannot read some files. */
export class BadSectors {
  readonly paths = new Set<string>();
  readonly disk: Disk = {
    ...nodeDisk,
    openRead: (path) => this.#open(path),
    rename: (from, to) => this.#rename(from, to),
  };

  #open(path: string): ReadFile {
    this.#check('openRead', path);
    const file = nodeDisk.openRead(path);
    const read = (offset: number, sizeBytes: number): Uint8Array<ArrayBuffer> => {
      this.#check('read', path);
      return file.read(offset, sizeBytes);
    };
    return { path, sizeBytes: file.sizeBytes, read, close: () => file.close() };
  }

  /** The sectors are the file's, wherever it goes. */
  #rename(from: string, to: string): void {
    nodeDisk.rename(from, to);
    for (const path of this.paths) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.paths.delete(path);
      this.paths.add(to + path.slice(from.length));
    }
  }

  #check(call: string, path: string): void {
    if (!this.paths.has(path)) return;
    throw diskError(call, path, Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
  }
}

export interface HarmedFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** A file of the same kind and another part, log or day; undefined: there is none. */
  readonly other: string | undefined;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly bad: BadSectors;
}

export const HARMS: Readonly<Record<string, (file: HarmedFile) => void>> = {
  flip: ({ path, sizeBytes, random }) => {
    const at = Math.floor(random() * sizeBytes);
    const file = openSync(path, 'r+');
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0]! ^= 1 << Math.floor(8 * random());
    writeSync(file, byte, 0, 1, at);
    closeSync(file);
  },
  cut: ({ path, sizeBytes, random }) => truncateSync(path, 1 + Math.floor(random() * (sizeBytes - 1))),
  empty: ({ path }) => truncateSync(path, 0),
  delete: ({ path }) => rmSync(path),
  append: ({ path, random }) => appendFileSync(path, Buffer.alloc(1 + Math.floor(1000 * random()), 7)),
  unreadable: ({ path, bad }) => void bad.paths.add(path),
  swap: ({ path, other }) => {
    if (other === undefined) return;
    const mine = readFileSync(path);
    const theirs = readFileSync(other);
    for (const [target, bytes] of [
      [path, theirs],
      [other, mine],
    ] as const) {
      writeFileSync(`${target}.swap`, bytes);
      renameSync(`${target}.swap`, target);
    }
  },
};

/** What stands for `name` in another folder beside its own: among `names` of one data directory. */
export function counterpart(names: readonly string[], name: string): string | undefined {
  const kind = (one: string): string =>
    one.includes('/log/')
      ? 'log'
      : one.includes('/parts/')
        ? `part ${basename(one)}`
        : `${dirname(one)} ${basename(one)}`;
  return names.find((other) => other !== name && kind(other) === kind(name));
}
