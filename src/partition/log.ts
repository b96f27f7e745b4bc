// A day's log: the files of group-commit blocks that are not yet in a part. One file is written to, the others are
// sealed: full, recovered, or given up after a failed write. A flush takes all sealed ones and drops them together.
import { assert } from '../base/assert.ts';
import { newIdentity } from '../part/identity.ts';
import { isParked, LogFile, type LogAppend, type LogPlace, type LogWriter } from './log-file.ts';

/**
 * A file above this takes no more blocks. A flush comes first in practice; this bounds what one flush could be waiting
 * for.
 */
const FILE_BYTES_MAX: number = 256 << 20;

export interface LogOptions extends LogPlace {
  /** The number of the next file: above every one that exists or was flushed. */
  readonly nextSeq: number;
  /** Recovered files, by seq. */
  readonly files: readonly LogFile[];
  /**
   * Puts on record which files there are, so that one that is lost is missed. Called for a file before the first
   * acknowledgement in it, and before one that holds nothing is removed. Rejects with DISK.
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

  /** Every file with blocks readers may see, by seq. */
  get files(): readonly LogFile[] {
    return this.#files;
  }

  /** What a flush would take: all but parked files. */
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
    // Given up: should the process die before the next append, nobody is to miss a file that never held anything.
    void append.ended.then(() => {
      if (writer.isSealed && this.#writer === writer) this.#retireWriter();
    });
    return append;
  }

  /** What is behind a file that somebody else has cut, appended to or deleted would not be found again. */
  #mayGoOn(writer: LogWriter): boolean {
    return !writer.isSealed && writer.logFile.sizeBytes <= FILE_BYTES_MAX && writer.isIntact;
  }

  /**
   * Seals the open file, once its append under way has ended, and gives all files that are not parked: what a flush may
   * take. Nothing is written to any of them any more, also when two rotate at once.
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

  /** Forgets the files up to `seq`, which are in a part now; they are deleted when no view reads them. */
  dropFlushed(seq: number): void {
    while (this.#files.length > 0 && this.#files[0]!.seq <= seq) {
      const file = this.#files.shift()!;
      assert(this.#writer?.logFile !== file, 'the open log file was flushed');
      file.pinned.doom();
    }
  }

  /** Leaves `file`, which is sealed, out of every flush from now on; its spans stay readable. Throws DISK. */
  park(file: LogFile): void {
    const at = this.#files.indexOf(file);
    assert(at >= 0 && this.#writer?.logFile !== file, 'a log file parked that is open or not here');
    const parked = file.park();
    this.#files.splice(at, 1);
    this.#add(parked);
    file.pinned.doom();
  }

  /** By seq: parked files come behind those that are written now. */
  #add(file: LogFile): void {
    this.#files.push(file);
    this.#files.sort((a, b) => a.seq - b.seq);
  }

  #openWriter(): LogWriter {
    const logFile = new LogFile(this.#place, { seq: this.#nextSeq, identity: newIdentity() });
    // Taken even when opening fails: what a failed open left behind must not be written to again.
    this.#nextSeq++;
    const writer = logFile.openWriter(() => this.#list({ add: [logFile.seq] }));
    this.#add(logFile);
    return writer;
  }

  #retireWriter(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    // Its blocks are on disk already, or given up: a close that fails loses nothing.
    writer.seal().catch(() => undefined);
    const { logFile } = writer;
    if (logFile.blocks.length > 0) return;
    // A full disk refuses one commit after another: each would leave a file without a block behind.
    this.#files.splice(this.#files.indexOf(logFile), 1);
    // Should this fail, the next start takes the file for one whose blocks are lost: it says too much, never too little.
    this.#list({ gone: [logFile.seq] }).then(
      () => logFile.pinned.doom(),
      () => undefined,
    );
  }
}
