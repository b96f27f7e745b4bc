// What is decoded of a row group for all its rows: templates of rows, times, parents, children. Kept with the block while it is
// open, because a search and the reading of what it found need the same, and users ask for the newest traces again and again.
import { freeBytes } from '../bytes/free-bytes.ts';
import * as C from './block-columns.ts';
import type { BlockReader } from './block-reader.ts';
import type { GroupReader } from './group-reader.ts';
import { readChildStarts } from './read-children.ts';
import { SectionReader } from './read-section.ts';
import { readTraceColumns, type TraceColumns } from './read-traces.ts';

/** Memory of a row in SectionReader (8 + 4 + 4 bytes) and in TraceColumns (8 + 8 + 4 bytes). */
const SECTION_ROW_BYTES = 16;
const TIMES_ROW_BYTES = 20;

const decoded = new WeakMap<GroupReader, DecodedGroup>();

/** The decoded columns of `group`, the same object as long as its block is open. */
export function decodedGroup(group: GroupReader): DecodedGroup {
  let known = decoded.get(group);
  if (known === undefined) decoded.set(group, (known = new DecodedGroup(group)));
  return known;
}

/** Frees what is kept of `block`. Nothing that was read of it may be used any more. */
export function releaseBlock(block: BlockReader): void {
  for (const group of block.groups) decoded.get(group)?.release();
  block.release();
}

export class DecodedGroup {
  readonly group: GroupReader;
  readonly #sections: (SectionReader | undefined)[] = [];
  readonly #childStarts: (Uint32Array | undefined)[] = [];
  #traceColumns: TraceColumns | undefined;

  /** Call decodedGroup. */
  constructor(group: GroupReader) {
    this.group = group;
  }

  /** Call releaseBlock. */
  release(): void {
    for (const reader of this.#sections) reader?.release();
    for (const starts of this.#childStarts) if (starts !== undefined) freeBytes(starts);
    if (this.#traceColumns !== undefined) Object.values(this.#traceColumns).forEach(freeBytes);
  }

  /** A section with the group's rows. */
  section(section: number): SectionReader {
    let reader = this.#sections[section];
    if (reader === undefined) {
      reader = new SectionReader(this.group, section);
      this.group.block.keep(SECTION_ROW_BYTES * reader.rows.length);
      this.#sections[section] = reader;
    }
    return reader;
  }

  /** First event or link of each row; the last entry is their total count. */
  childStarts(section: number): Uint32Array {
    let starts = this.#childStarts[section];
    if (starts === undefined) {
      starts = readChildStarts(this.group, this.section(C.SECTION_SPANS), this.section(section));
      this.group.block.keep(starts.byteLength);
      this.#childStarts[section] = starts;
    }
    return starts;
  }

  /** Times and parents of every span. */
  traceColumns(): TraceColumns {
    if (this.#traceColumns === undefined) {
      this.#traceColumns = readTraceColumns(this.group, this.section(C.SECTION_SPANS));
      this.group.block.keep(TIMES_ROW_BYTES * this.group.rowCount);
    }
    return this.#traceColumns;
  }
}
