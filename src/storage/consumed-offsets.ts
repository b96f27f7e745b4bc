// How far this store has consumed the log of -ingestLog: one offset for each partition, in the file `consumed` of the data directory.
// A group commit writes it when its blocks are on disk and before it publishes them, so it never runs ahead of the spans, whatever
// day they are of; and it stays when days are dropped, purged or detached. Behind the spans it may be: what is read again then is
// shown once. The file is damaged or gone: the log is read from its beginning. Layout: docs/format/other-files.md.
import { join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { crc32 } from '../bytes/crc32.ts';
import { readWholeFile, replaceFile } from '../disk/atomic-write.ts';
import type { AppendFile, Disk } from '../disk/disk.ts';
import { CONSUMED_FORMAT, encodeFileHeader, readFileHeader, PLAIN_HEADER_SIZE } from '../part/format-version.ts';

export const CONSUMED_FILE = 'consumed';
/** Above this the file is begun anew: some 1,500 commits of 16 partitions. */
const FILE_BYTES_MAX: number = 256 << 10;
/** A frame's length and checksum. */
const FRAME_BYTES = 8;
/** Of a damaged length. */
const RECORD_BYTES_MAX: number = 64 << 10;

/** What was missed of the log, both offsets included. */
export interface LogGap {
  readonly from: bigint;
  readonly to: bigint;
  /** The log took what is missing between these, ms since the epoch. 0: since it began. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** How far a partition is consumed. */
export interface ConsumedState {
  /** IngestLog.identify: in another log the offset means nothing. */
  readonly identity: string;
  readonly offset: bigint;
  /** When the log took the last message that is stored, ms since the epoch; 0: not known. */
  readonly timeMs: number;
  /** The log had lost messages before this store read them: from the first to the last of all of them. Stays until fillGaps(). */
  readonly gap?: LogGap | undefined;
}

/** A place in the log up to which everything is consumed. */
export interface ConsumedPlace extends ConsumedState {
  readonly partition: number;
}

export type Consumed = ReadonlyMap<number, ConsumedState>;

export class ConsumedOffsets {
  readonly #disk: Disk;
  readonly #path: string;
  /** By partition. */
  #consumed: Consumed = new Map();
  /** undefined: the next commit begins the file anew. */
  #file: AppendFile | undefined;
  /** Resolves when the change before is over. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Throws FORMAT_TOO_NEW, DISK. */
  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#path = join(folder, CONSUMED_FILE);
    this.#read();
  }

  get consumed(): Consumed {
    return this.#consumed;
  }

  /** Durable when it resolves. Rejects with DISK: then the places are those from before. */
  async commit(places: readonly ConsumedPlace[]): Promise<void> {
    await this.#change((before) => {
      const consumed = new Map(before);
      for (const { partition, gap, ...place } of places)
        consumed.set(partition, { ...place, gap: joinGaps(consumed.get(partition)?.gap, gap) });
      return consumed;
    });
  }

  /** What was missed of these partitions (undefined: of all) is here now: it was copied from another node. Durable when it resolves. Rejects with DISK. */
  async fillGaps(partitions?: readonly number[]): Promise<void> {
    await this.#change((before) => {
      const consumed = new Map(before);
      for (const [partition, state] of before)
        if (partitions === undefined || partitions.includes(partition))
          consumed.set(partition, { ...state, gap: undefined });
      return consumed;
    });
  }

  /** One after the other: an operator fills gaps beside the commits. */
  async #change(change: (before: Consumed) => Consumed): Promise<void> {
    const changing = this.#turn.then(async () => {
      const consumed = change(this.#consumed);
      if (consumed.size > 0) await this.#write(encodeRecord(consumed));
      this.#consumed = consumed;
    });
    this.#turn = changing.catch(() => undefined);
    await changing;
  }

  async #write(record: Uint8Array): Promise<void> {
    const file = await this.#openFile();
    const { sizeBytes } = file;
    // After a failure nobody knows what the disk has of the file: it is replaced.
    this.#file = undefined;
    try {
      await file.append([record]);
      await file.sync();
      this.#file = file;
    } catch (error) {
      file.close().catch(() => undefined);
      // Whole as it may be, it counts spans that this commit gives up: if the process ends now, the next one must not find it.
      this.#disk.truncate(this.#path, sizeBytes);
      throw error;
    }
  }

  /** A file that is begun anew has the places from before, so that no failure leaves those of the commit in it. */
  async #openFile(): Promise<AppendFile> {
    if (this.#file !== undefined && this.#file.sizeBytes <= FILE_BYTES_MAX) return this.#file;
    await this.#file?.close();
    this.#file = undefined;
    const bytes = Buffer.concat([encodeFileHeader(CONSUMED_FORMAT), encodeRecord(this.#consumed)]);
    replaceFile(this.#disk, this.#path, bytes);
    return this.#disk.openAppend(this.#path);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#file?.close();
  }

  #read(): void {
    if (this.#disk.stat(this.#path) === undefined) return;
    try {
      const bytes = readWholeFile(this.#disk, this.#path, 2 * FILE_BYTES_MAX + RECORD_BYTES_MAX);
      readFileHeader(CONSUMED_FORMAT, bytes, this.#path);
      this.#consumed = lastRecord(new ByteReader(bytes, PLAIN_HEADER_SIZE)) ?? this.#consumed;
    } catch (error) {
      // Nothing is lost with it: the log is read from its beginning.
      if (!isStoreError(error, 'CORRUPTION')) throw error;
    }
  }
}

/** From the beginning of the earlier one to the end of the later one. */
export function joinGaps(known: LogGap | undefined, gap: LogGap | undefined): LogGap | undefined {
  if (known === undefined || gap === undefined) return known ?? gap;
  const [from, to] = [known.from < gap.from ? known.from : gap.from, known.to > gap.to ? known.to : gap.to];
  return { from, to, fromMs: Math.min(known.fromMs, gap.fromMs), toMs: Math.max(known.toMs, gap.toMs) };
}

function encodeRecord(consumed: Consumed): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  out.u32(0);
  out.u32(0);
  out.varint(consumed.size);
  for (const [partition, { identity, offset, gap }] of consumed) {
    const name = Buffer.from(identity);
    out.varint(partition);
    out.varint(name.length);
    out.raw(name);
    for (const one of [offset, gap?.from ?? 0n, gap?.to ?? 0n]) out.varint(Number(one));
  }
  for (const { timeMs, gap } of consumed.values())
    for (const ms of [timeMs, gap?.fromMs ?? 0, gap?.toMs ?? 0]) out.varint(ms);
  const record = out.take();
  const view = new DataView(record.buffer);
  view.setUint32(0, record.length - FRAME_BYTES, true);
  view.setUint32(4, crc32(record.subarray(FRAME_BYTES)), true);
  return record;
}

/** The last intact one; what follows it was never acknowledged. */
function lastRecord(reader: ByteReader): Consumed | undefined {
  let last: Consumed | undefined;
  while (reader.left >= FRAME_BYTES) {
    const sizeBytes = reader.u32();
    const sum = reader.u32();
    if (sizeBytes > Math.min(reader.left, RECORD_BYTES_MAX)) break;
    const record = reader.view(sizeBytes);
    if (crc32(record) !== sum) break;
    last = decodeRecord(new ByteReader(record));
  }
  return last;
}

function decodeRecord(reader: ByteReader): Consumed {
  const entries = Array.from({ length: reader.count(5) }, () => {
    const partition = reader.varint();
    const identity = Buffer.from(reader.view(reader.varint())).toString();
    const [offset, from, to] = [BigInt(reader.varint()), BigInt(reader.varint()), BigInt(reader.varint())] as const;
    return { partition, identity, offset, from, to };
  });
  const consumed = new Map<number, ConsumedState>();
  for (const { partition, identity, offset, from, to } of entries) {
    // The first records that were written had no times.
    const [timeMs, fromMs, toMs] = reader.left > 0 ? [reader.varint(), reader.varint(), reader.varint()] : [0, 0, 0];
    consumed.set(partition, { identity, offset, timeMs, gap: to === 0n ? undefined : { from, to, fromMs, toMs } });
  }
  return consumed;
}
