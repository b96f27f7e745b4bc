// One file of a day's log: a header, then encoded blocks back to back. Blocks are written and synced first, and published
// to readers only when their whole commit is on disk. A failed write or sync seals the file: its tail may hold blocks that
// were never acknowledged, so no block may follow them. Layout: docs/format/log.md.
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import { readBlockHeader, type BlockHeader } from '../block/block-header.ts';
import { readBlockTraceIds } from '../block/block-reader.ts';
import type { TemplateNames } from '../block/read-names.ts';
import type { AppendFile, Disk } from '../disk/disk.ts';
import { giveUp } from '../disk/give-up.ts';
import { NameSet, type ListedNames } from '../index/names.ts';
import { encodeFileHeader, LOG_FORMAT } from '../part/format-version.ts';
import { formatHexId, parseHexId } from '../part/hex-id.ts';
import { newIdentity, parseIdentity, type Identity } from '../part/identity.ts';
import { moveToQuarantine } from '../quarantine/quarantine.ts';
import { sortedTraceKeys } from '../part/trace-key.ts';
import { addBlockNames, addTemplateNames } from './block-names.ts';
import { LogMarks, MARKS_SUFFIX } from './log-marks.ts';
import type { PartitionPlace } from './partition-place.ts';
import { Pinned } from './pinned.ts';

/** A published block of the log. */
export interface LogBlock {
  readonly offset: number;
  readonly header: BlockHeader;
  /** Ascending; used to prune by trace id. */
  readonly traceKeys: Uint32Array;
}

/** If damaged bytes could not be copied, the file itself is kept when it is flushed. */
interface KeptDamage {
  readonly quarantinePath: string;
  readonly message: string;
}

/** What a log file holds for readers, as plain data: another thread may have read it. */
export interface LogContent {
  readonly blocks: readonly LogBlock[];
  readonly names: ListedNames;
  readonly kept: KeptDamage | undefined;
}

const SUFFIX = '.log';

export interface LogFileName {
  /** Counts up within a partition, so sorting names by bytes sorts files by age. */
  readonly seq: number;
  /** undefined in format 1. */
  readonly identity: Identity | undefined;
}

export function logFileName({ seq, identity }: LogFileName): string {
  return [formatHexId(seq), identity].filter((word) => word !== undefined).join('-') + SUFFIX;
}

/** undefined for a name that is not a log file's. */
export function parseLogFileName(name: string): LogFileName | undefined {
  const [, number = '', tail] = /^([^-]*)(?:-(.*))?\.log$/.exec(name) ?? [];
  const seq = parseHexId(number);
  const identity = parseIdentity(tail ?? '');
  return seq === undefined || (tail !== undefined && identity === undefined) ? undefined : { seq, identity };
}

/** The folder of the log files. */
export interface LogPlace extends Pick<PartitionPlace, 'disk' | 'forget' | 'nameBounds'> {
  readonly folder: string;
}

/** A parked file's number is this plus its original number, so no flush ever reaches it. */
const PARKED_SEQ = 2 ** 52;

export function isParked({ seq }: { readonly seq: number }): boolean {
  return seq >= PARKED_SEQ;
}

export function parkedName(name: LogFileName): LogFileName {
  assert(!isParked(name), `log file ${name.seq} is parked already`);
  return { ...name, seq: PARKED_SEQ + name.seq };
}

/** The file's original number, before parking: no other file of the log may ever have it. */
export function begunSeq({ seq }: { readonly seq: number }): number {
  return isParked({ seq }) ? seq - PARKED_SEQ : seq;
}

export class LogFile {
  readonly seq: number;
  /** Readers know the file by it. A file of format 1 gets a new one each time it is opened. */
  readonly identity: Identity;
  readonly path: string;
  /** Published blocks, in file order. Only ever appended to. */
  readonly blocks: LogBlock[] = [];
  /** Names in the published blocks. */
  readonly names: NameSet;
  /** Templates whose names are in `names`. */
  readonly #listed = new WeakSet<object>();
  /** Dooming it deletes the file once no view reads it. */
  readonly pinned: Pinned;
  readonly #place: LogPlace;
  readonly #name: LogFileName;
  readonly #disk: Disk;
  #rowCount = 0;
  #sizeBytes = 0;
  #kept: KeptDamage | undefined;

  /** The file lists only those names of its blocks that are within `nameBounds`. */
  constructor(place: LogPlace, name: LogFileName) {
    const { disk, folder, forget, nameBounds } = place;
    this.#place = place;
    this.#name = name;
    this.#disk = disk;
    this.names = new NameSet(nameBounds);
    this.seq = name.seq;
    this.identity = name.identity ?? newIdentity();
    this.path = join(folder, logFileName(name));
    this.pinned = new Pinned(() => {
      forget?.([this.identity]);
      this.#leave();
    });
  }

  /** Rows in the published blocks. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Bytes of the published blocks. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Its damaged bytes could not be copied: moves the file to `quarantinePath` instead of removing it. */
  keepIn(quarantinePath: string, message: string): void {
    this.#kept = { quarantinePath, message };
  }

  #leave(): void {
    this.#disk.remove(this.path + MARKS_SUFFIX);
    const kept = this.#kept;
    if (kept === undefined) this.#disk.remove(this.path);
    else moveToQuarantine(this.#disk, kept.quarantinePath, { path: this.path, message: kept.message });
  }

  /** Makes the block at `offset`, which is on disk, visible. `templates` has all its names, if the caller knows them. */
  publish(offset: number, bytes: Uint8Array, templates?: readonly TemplateNames[]): void {
    const header = readBlockHeader(bytes);
    this.blocks.push({ offset, header, traceKeys: sortedTraceKeys(readBlockTraceIds(bytes)) });
    if (templates === undefined) addBlockNames(this.names, header.tenant, bytes);
    else addTemplateNames(this.names, header.tenant, { templates, listed: this.#listed });
    this.#rowCount += header.rowCount;
    this.#sizeBytes += header.sizeBytes;
  }

  get content(): LogContent {
    return { blocks: this.blocks, names: this.names.list(), kept: this.#kept };
  }

  /** Makes everything visible that a recovery found in the file. */
  publishAll({ blocks, names, kept }: LogContent): void {
    this.#kept = kept;
    for (const block of blocks) {
      this.blocks.push(block);
      this.#rowCount += block.header.rowCount;
      this.#sizeBytes += block.header.sizeBytes;
    }
    this.names.addListed(names);
  }

  /**
   * Parks the file after two failed flushes: gives the same blocks a parked file's name, which later flushes skip. The file
   * has both names until this one is doomed. Throws DISK.
   */
  park(): LogFile {
    const parked = new LogFile(this.#place, parkedName(this.#name));
    // Left by an attempt that was interrupted.
    for (const suffix of ['', MARKS_SUFFIX]) this.#disk.remove(parked.path + suffix);
    this.#disk.link(this.path, parked.path);
    const marks = this.path + MARKS_SUFFIX;
    if (this.#disk.stat(marks) !== undefined) this.#disk.link(marks, parked.path + MARKS_SUFFIX);
    this.#disk.syncDir(this.#place.folder);
    parked.publishAll(this.content);
    return parked;
  }

  /**
   * Creates the file and opens it for writing. Its name is durable when this returns. `list` records that the file exists,
   * before the first block in it is acknowledged. Throws DISK, leaving nothing.
   */
  openWriter(list: () => Promise<void>): LogWriter {
    const file = this.#disk.openAppend(this.path);
    try {
      this.#disk.syncDir(dirname(this.path));
      return new LogWriter(this.#disk, this, { file, list });
    } catch (error) {
      // Nothing was written to the file: a failed close loses nothing.
      file.close().catch(() => undefined);
      giveUp(() => this.#disk.remove(this.path));
      throw error;
    }
  }
}

/** The end of the log file that a partition writes to. */
export class LogWriter {
  readonly logFile: LogFile;
  readonly #disk: Disk;
  readonly #file: AppendFile;
  /** Everything before this offset is published, or is the file header. */
  #goodBytes = 0;
  #isSealed = false;
  readonly #list: () => Promise<void>;
  readonly #marks: LogMarks;
  #isListed = false;
  #append: LogAppend | undefined;

  constructor(disk: Disk, logFile: LogFile, { file, list }: { file: AppendFile; list: () => Promise<void> }) {
    this.#disk = disk;
    this.logFile = logFile;
    this.#file = file;
    this.#list = list;
    this.#marks = new LogMarks(disk, logFile.path, logFile.identity);
    assert(file.sizeBytes === 0, 'a log file written by another process');
  }

  get isSealed(): boolean {
    return this.#isSealed;
  }

  /** Whether the file on disk is as long as the bytes written to it. */
  get isIntact(): boolean {
    return this.#disk.stat(this.logFile.path)?.sizeBytes === this.#file.sizeBytes;
  }

  /** Starts writing and syncing `blocks`; see LogAppend. One append at a time: publish() or cancel() it before the next. */
  append(blocks: readonly Uint8Array[]): LogAppend {
    assert(!this.#isSealed && this.#append === undefined, 'a log file written to while sealed or busy');
    const start = this.#file.sizeBytes;
    const chunks = start === 0 ? [encodeFileHeader(LOG_FORMAT, this.logFile.identity), ...blocks] : blocks;
    this.#append = new LogAppend(this.#write(chunks), {
      publish: (names) => this.#publish(blocks, names),
      cancel: () => this.#cancel(),
    });
    return this.#append;
  }

  /** Allows no further write. Waits for the append under way, then closes the file. */
  async seal(): Promise<void> {
    this.#isSealed = true;
    await this.#append?.ended;
    this.#marks.close();
    await this.#file.close();
  }

  async #write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#file.append(chunks);
    await this.#file.sync();
    if (!this.#isListed) await this.#list();
    this.#isListed = true;
  }

  #publish(blocks: readonly Uint8Array[], names: readonly (readonly TemplateNames[])[] = []): void {
    let offset = this.#file.sizeBytes;
    assert(this.#isListed, `${this.logFile.path}: blocks published that nobody would miss`);
    this.#marks.add(offset);
    for (const block of blocks) offset -= block.length;
    for (const [i, block] of blocks.entries()) {
      this.logFile.publish(offset, block, names[i]);
      offset += block.length;
    }
    this.#goodBytes = offset;
    this.#append = undefined;
  }

  /**
   * Seals the file and cuts off what the append wrote. If even that fails, the tail stays: its blocks were never
   * acknowledged, so a recovery may correctly find them whole, torn, or not at all.
   */
  #cancel(): void {
    this.#isSealed = true;
    this.#append = undefined;
    try {
      this.#disk.truncate(this.logFile.path, this.#goodBytes);
    } catch (error) {
      if (!isStoreError(error, 'DISK')) throw error;
    }
  }
}

type PublishBlocks = (names?: readonly (readonly TemplateNames[])[]) => void;

/** Blocks on their way to disk. */
export class LogAppend {
  /** Resolves when the blocks are on disk; rejects with DISK. */
  readonly synced: Promise<void>;
  /** Resolves when the append was published or cancelled. */
  readonly ended: Promise<void>;
  readonly #actions: { publish: PublishBlocks; cancel: () => void };
  readonly #end: () => void;

  constructor(synced: Promise<void>, actions: { publish: PublishBlocks; cancel: () => void }) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = synced;
    this.ended = promise;
    this.#actions = actions;
    this.#end = resolve;
  }

  /** When this returns, the next view sees the blocks. `names` has those of each block, which are read from it otherwise. */
  publish(names?: readonly (readonly TemplateNames[])[]): void {
    this.#actions.publish(names);
    this.#end();
  }

  /** The blocks never become visible in this process; their file takes no more. Call only after `synced` has settled. */
  cancel(): void {
    this.#actions.cancel();
    this.#end();
  }
}
