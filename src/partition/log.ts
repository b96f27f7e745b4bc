// A day's log: the files of group-commit blocks that are not yet in a part. One file is being written; the others are
// sealed: full, recovered, or given up after a failed write. A flush takes all sealed files and drops them together.
import { assert } from '../base/assert.ts';
import { newIdentity } from '../part/identity.ts';
import { isParked, LogFile, type LogAppend, type LogPlace, type LogWriter } from './log-file.ts';

/** A file above this takes no more blocks: an upper bound, because a flush usually comes first. */
const FILE_BYTES_MAX: number = 256 << 20;

export interface LogOptions extends LogPlace {
  /** The number of the next file: above every file that exists or was flushed. */
  readonly nextSeq: number;
  /** Recovered files, by seq. */
  readonly files: readonly LogFile[];
  /**
   * Records which files exist, so that a lost file is noticed. Called before the first acknowledgement in a new file, and
   * before an empty file is removed. Rejects with DISK.
   */
  readonly list: (change: { readonly add?: readonly number[]; readonly gone?: readonly number[] }) => Promise<void>;
}

export class Log {
  readonly #place: LogPlace;
  readonly #files: LogFile[];
  #writer: LogWriter | undefined;
  /** Settles when every file that rotate() took has been sealed. */
  #sealing: Promise<unknown> = Promise.resolve();
  #nextSeq: number;
  readonly #list: LogOptions['list'];

  constructor(options: LogOptions) {
    this.#place = options;
    this.#nextSeq = options.nextSeq;
    this.#list = options.list;
    this.#files = [...options.files];
  }

  /** Every file with blocks that readers may see, by seq. */
  get files(): readonly LogFile[] {
    return this.#files;
  }

  /** What a flush would take: all files except parked ones. */
  get waiting(): { readonly rowCount: number; readonly sizeBytes: number } {
    const files = this.#files.filter((file) => !isParked(file));
    const sum = (key: 'rowCount' | 'sizeBytes'): number => files.reduce((total, file) => total + file[key], 0);
    return { rowCount: sum('rowCount'), sizeBytes: sum('sizeBytes') };
  }

  get rowCount(): number {
    return this.#files.reduce((sum, file) => sum + file.rowCount, 0);
  }

  get sizeBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  /** Starts writing `blocks` to the open file, or to a new one. Throws DISK when none can be created. */
  append(blocks: readonly Uint8Array[]): LogAppend {
    if (this.#writer !== undefined && !this.#mayGoOn(this.#writer)) this.#retireWriter();
    const writer = (this.#writer ??= this.#openWriter());
    const append = writer.append(blocks);
    // A failed append sealed the file. Delists it if it is empty, so that a crash now does not make it count as lost.
    void append.ended.then(() => {
      if (writer.isSealed && this.#writer === writer) this.#retireWriter();
    });
    return append;
  }

  /** If another program cut, extended or deleted the file, blocks appended to it could not be found again. */
  #mayGoOn(writer: LogWriter): boolean {
    return !writer.isSealed && writer.logFile.sizeBytes <= FILE_BYTES_MAX && writer.isIntact;
  }

  /**
   * Seals the open file after its append under way, and returns all files that are not parked, for a flush. None of them is
   * written to again, even if two calls overlap.
   */
  async rotate(): Promise<readonly LogFile[]> {
    const writer = this.#writer;
    this.#writer = undefined;
    const files = this.#files.filter((file) => !isParked(file));
    const before = this.#sealing;
    const sealed = writer?.seal();
    this.#sealing = Promise.allSettled([before, sealed]);
    await before;
    await sealed;
    return files;
  }

  /** Forgets the files up to `seq`, which are in a part now; each is deleted when no view reads it. */
  dropFlushed(seq: number): void {
    while (this.#files.length > 0 && this.#files[0]!.seq <= seq) {
      const file = this.#files.shift()!;
      assert(this.#writer?.logFile !== file, 'the open log file was flushed');
      file.pinned.doom();
    }
  }

  /** Excludes the sealed `file` from all further flushes; its spans stay readable. Throws DISK. */
  park(file: LogFile): void {
    const at = this.#files.indexOf(file);
    assert(at >= 0 && this.#writer?.logFile !== file, 'a log file parked that is open or not here');
    const parked = file.park();
    this.#files.splice(at, 1);
    this.#add(parked);
    file.pinned.doom();
  }

  /** Sorted by seq: parked files come after the others. */
  #add(file: LogFile): void {
    this.#files.push(file);
    this.#files.sort((a, b) => a.seq - b.seq);
  }

  #openWriter(): LogWriter {
    const logFile = new LogFile(this.#place, { seq: this.#nextSeq, identity: newIdentity() });
    // The number is used up even if opening fails: a file left by a failed open must not be written to again.
    this.#nextSeq++;
    const writer = logFile.openWriter(() => this.#list({ add: [logFile.seq] }));
    this.#add(logFile);
    return writer;
  }

  #retireWriter(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    // Its blocks are on disk already, or given up: a failed close loses nothing.
    writer.seal().catch(() => undefined);
    const { logFile } = writer;
    if (logFile.blocks.length > 0) return;
    // On a full disk many commits fail in a row: without this, each would leave an empty file.
    this.#files.splice(this.#files.indexOf(logFile), 1);
    // If this fails, the next start reports the blocks of this file as lost: too much, never too little.
    this.#list({ gone: [logFile.seq] }).then(
      () => logFile.pinned.doom(),
      () => undefined,
    );
  }
}
