// The log in a folder of this machine: one file for each partition, messages back to back, each synced before it is acknowledged. It
// passes the same contract as the others and needs no server, for trials and tests. One process opens a folder; nothing is ever
// removed. It proves its one copy, so a node takes it only with -ingestLog.trust.
//
// A message, integers little-endian: u32 bytes behind these eight · u32 CRC-32 of them · f64 ms since the epoch · u8 bytes of the
// id · id · payload
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { crc32 } from '../bytes/crc32.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { AppendFile, Disk } from '../disk/disk.ts';
import type { IngestLog, LogDescription, LogMessage } from './ingest-log.ts';

const MESSAGE_BYTES_MAX: number = 8 << 20;
const FRAME_BYTES = 8;
const DUPLICATES_MS = 120_000;

export interface LocalLogOptions {
  /** Created if it is absent. */
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly partitions: number;
}

/** Where a message lies. */
interface Place {
  readonly at: number;
  readonly sizeBytes: number;
}

class LocalPartition {
  readonly path: string;
  readonly file: AppendFile;
  /** The message with offset n is the n-1st. */
  readonly places: Place[] = [];
  /** Recent ids, the oldest first, with offset and time. */
  readonly ids = new Map<string, { readonly offset: bigint; readonly timeMs: number }>();
  /** Settles when the appends so far have ended. */
  writing: Promise<unknown> = Promise.resolve();
  /** Resolves when there is a further message. */
  grown: PromiseWithResolvers<void> = Promise.withResolvers();

  /** Cuts off what a crash left half-written. */
  constructor(disk: Disk, path: string) {
    this.path = path;
    const end = disk.stat(path) === undefined ? 0 : this.#recover(readWholeFile(disk, path));
    if (end < (disk.stat(path)?.sizeBytes ?? 0)) disk.truncate(path, end);
    this.file = disk.openAppend(path);
  }

  #recover(bytes: Uint8Array): number {
    const reader = new ByteReader(bytes);
    while (reader.left >= FRAME_BYTES) {
      const at = reader.pos;
      const sizeBytes = reader.u32();
      const sum = reader.u32();
      if (sizeBytes > reader.left || crc32(bytes.subarray(reader.pos, reader.pos + sizeBytes)) !== sum) return at;
      const { id, timeMs } = decodeMessage(reader.view(sizeBytes));
      this.add({ at: at + FRAME_BYTES, sizeBytes }, id, timeMs);
    }
    return reader.pos;
  }

  add(place: Place, id: string, timeMs: number): bigint {
    this.places.push(place);
    const offset = BigInt(this.places.length);
    this.ids.set(id, { offset, timeMs });
    this.grown.resolve();
    this.grown = Promise.withResolvers();
    return offset;
  }

  forgetIds(beforeMs: number): void {
    for (const [id, { timeMs }] of this.ids) {
      if (timeMs >= beforeMs) return;
      this.ids.delete(id);
    }
  }
}

export class LocalLog implements IngestLog {
  readonly partitions: number;
  readonly messageBytesMax: number = MESSAGE_BYTES_MAX;
  readonly #options: LocalLogOptions;
  readonly #all: readonly LocalPartition[];
  readonly #closing = new AbortController();

  /** Throws DISK. */
  constructor(options: LocalLogOptions) {
    const { path, disk, partitions } = options;
    this.#options = options;
    this.partitions = partitions;
    if (disk.stat(path) === undefined) disk.makeDir(path);
    this.#all = Array.from({ length: partitions }, (_, n) => new LocalPartition(disk, join(path, `${n}.log`)));
    disk.syncDir(path);
  }

  async append(partition: number, bytes: Uint8Array, id: string): Promise<bigint> {
    const own = this.#partition(partition);
    if (bytes.length > MESSAGE_BYTES_MAX)
      throw new StoreError(
        'LIMIT_EXCEEDED',
        `a message of ${bytes.length} bytes; the log takes at most ${MESSAGE_BYTES_MAX}`,
      );
    const appended = own.writing.then(async () => await this.#append(own, bytes, id));
    own.writing = appended.catch(() => undefined);
    return await appended;
  }

  async #append(own: LocalPartition, bytes: Uint8Array, id: string): Promise<bigint> {
    const timeMs = this.#options.clock.nowMs();
    own.forgetIds(timeMs - DUPLICATES_MS);
    const known = own.ids.get(id);
    if (known !== undefined) return known.offset;
    const message = encodeMessage(bytes, id, timeMs);
    const at = own.file.sizeBytes + FRAME_BYTES;
    await own.file.append([message]);
    await own.file.sync();
    return own.add({ at, sizeBytes: message.length - FRAME_BYTES }, id, timeMs);
  }

  async *read(partition: number, from: bigint, signal?: AbortSignal): AsyncGenerator<LogMessage> {
    const own = this.#partition(partition);
    const ended = Promise.withResolvers<void>();
    const end = (): void => ended.resolve();
    const ends = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    for (const one of ends) one.addEventListener('abort', end);
    try {
      for (let next = from < 1n ? 1 : Number(from); !ends.some(({ aborted }) => aborted);) {
        const { grown } = own;
        const place = own.places[next - 1];
        if (place !== undefined) yield { offset: BigInt(next++), ...this.#readAt(own, place) };
        else await Promise.race([grown.promise, ended.promise]);
      }
    } finally {
      for (const one of ends) one.removeEventListener('abort', end);
    }
  }

  #readAt({ path }: LocalPartition, { at, sizeBytes }: Place): Omit<LogMessage, 'offset'> {
    const file = this.#options.disk.openRead(path);
    try {
      return decodeMessage(file.read(at, sizeBytes));
    } finally {
      file.close();
    }
  }

  async last(partition: number): Promise<bigint> {
    return BigInt(this.#partition(partition).places.length);
  }

  async first(partition: number): Promise<bigint> {
    this.#partition(partition);
    return 1n;
  }

  async identify(partition: number): Promise<string> {
    return this.#partition(partition).path;
  }

  async describe(): Promise<LogDescription> {
    return {
      kind: 'local',
      replicas: 1,
      fsyncBeforeAck: true,
      retentionMs: Infinity,
      retentionBytes: Infinity,
      problems: ['a log in a folder is one copy on one machine; use NATS JetStream with three servers'],
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#all.map(({ writing }) => writing));
    await Promise.all(this.#all.map(({ file }) => file.close()));
  }

  #partition(partition: number): LocalPartition {
    const own = this.#all[partition];
    if (own === undefined || this.#closing.signal.aborted)
      throw new StoreError('UNAVAILABLE', `the log has no partition ${partition}, or is closed`);
    return own;
  }
}

function encodeMessage(bytes: Uint8Array, id: string, timeMs: number): Uint8Array {
  const name = Buffer.from(id);
  const out = new ByteWriter(bytes.length + name.length + 32);
  out.u32(9 + name.length + bytes.length);
  out.u32(0);
  out.f64(timeMs);
  out.u8(name.length);
  out.raw(name);
  out.raw(bytes);
  const message = out.take();
  new DataView(message.buffer).setUint32(4, crc32(message.subarray(FRAME_BYTES)), true);
  return message;
}

function decodeMessage(message: Uint8Array): {
  readonly timeMs: number;
  readonly id: string;
  readonly bytes: Uint8Array;
} {
  const reader = new ByteReader(message);
  const timeMs = reader.f64();
  const id = Buffer.from(reader.view(reader.u8())).toString();
  return { timeMs, id, bytes: reader.view(reader.left) };
}
