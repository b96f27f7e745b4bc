// Bytes that are produced while a part is written and needed when it is finished: in memory up to a bound, then in a
// file of the part's folder, which is removed before the part is durable. After a crash the file is in a folder that no
// catalog lists. Ordinary parts never have one.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import type { Disk, ReadFile, WriteFile } from '../disk/disk.ts';

/** Bytes per copy step. */
const COPY_BYTES: number = 1 << 20;

export class Spill {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #buffer = new ByteWriter(1 << 14);
  #output: WriteFile | undefined;
  #input: ReadFile | undefined;

  constructor(disk: Disk, path: string, bytesMax: number) {
    this.#disk = disk;
    this.#path = path;
    this.#bytesMax = bytesMax;
  }

  /** Total bytes appended. */
  get sizeBytes(): number {
    return (this.#output?.sizeBytes ?? 0) + this.#buffer.length;
  }

  /** Bytes in memory; never more than the bound. */
  get usedBytes(): number {
    return this.#buffer.length;
  }

  /** Throws DISK. */
  append(bytes: Uint8Array): void {
    assert(this.#input === undefined, 'a spill written to while it is read');
    if (this.#buffer.length + bytes.length > this.#bytesMax) this.#writeOut();
    if (bytes.length > this.#bytesMax) this.#output!.write(bytes);
    else this.#buffer.raw(bytes);
  }

  #writeOut(): void {
    this.#output ??= this.#disk.createFile(this.#path);
    this.#output.write(this.#buffer.view());
    this.#buffer.length = 0;
  }

  /** Bytes [from, end) of the appended bytes; do not append afterwards. Throws DISK. */
  read(from: number, end: number): Uint8Array {
    if (this.#output === undefined) return this.#buffer.bytes.subarray(from, end);
    if (this.#buffer.length > 0) this.#writeOut();
    this.#input ??= this.#disk.openRead(this.#path);
    return this.#input.read(from, end - from);
  }

  /** Writes all appended bytes to `file`. Throws DISK. */
  copyTo(file: WriteFile): void {
    const { sizeBytes } = this;
    for (let at = 0; at < sizeBytes; at += COPY_BYTES) file.write(this.read(at, Math.min(sizeBytes, at + COPY_BYTES)));
  }

  /** Closes and removes the file on disk. Throws DISK. */
  drop(): void {
    this.#output?.close();
    this.#input?.close();
    if (this.#output !== undefined) this.#disk.remove(this.#path);
    this.#output = this.#input = undefined;
    this.#buffer.length = 0;
  }
}
