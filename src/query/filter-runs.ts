// The values of one filter reference in one block, as runs: the same field of some rows of one section. A value that is
// constant for a template, a resource or a scope is stored once for all its rows.
import * as T from '../trace/templates.ts';
import { scalarOf, type Scalar, type ValueTest } from './filter-value.ts';

/** Stored values: entry i has the words a[i], b[i]; text is in `bytes`. */
export interface Entries {
  /** templates.ts */
  readonly type: number;
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly bytes: Uint8Array;
}

/** The values of rows[from … to). */
export interface Run {
  readonly entries: Entries;
  readonly rows: ArrayLike<number>;
  readonly from: number;
  readonly to: number;
  /** The first row's index in the entries, or in `codes`, which hold indexes of entries. The next rows follow it. */
  readonly first: number;
  readonly codes?: ArrayLike<number>;
  /** All rows share one entry. */
  readonly isConstant?: boolean;
}

/** A reference's values. Rows are spans, events or links (block-columns.ts). */
export interface Source {
  readonly section: number;
  readonly runs: readonly Run[];
  /** The values are texts, and an empty text counts as absent. */
  readonly isEmptyAbsent?: boolean;
}

/** A flag per row of the section, set if a value passes `test`. */
export function testSource({ runs, isEmptyAbsent }: Source, rowCount: number, test: ValueTest): Uint8Array {
  if (isEmptyAbsent !== true) return testRuns(runs, rowCount, test);
  return testRuns(runs, rowCount, (type, a, b, bytes) => b !== 0 && test(type, a, b, bytes));
}

/** The same for runs. An entry shared by several rows is tested once. */
export function testRuns(runs: readonly Run[], rowCount: number, test: ValueTest): Uint8Array {
  const flags = new Uint8Array(rowCount);
  const answers = new Map<Entries, Answers>();
  for (const run of runs) {
    let known = answers.get(run.entries);
    if (known === undefined) answers.set(run.entries, (known = new Answers(run.entries, test)));
    if (run.isConstant === true) {
      if (known.of(run.first)) setRows(run, flags);
    } else if (run.codes === undefined) testColumn(run, test, flags);
    else testCodes(run, run.codes, known, flags);
  }
  return flags;
}

function setRows({ rows, from, to }: Run, flags: Uint8Array): void {
  for (let i = from; i < to; i++) flags[rows[i]!] = 1;
}

function testColumn({ entries, rows, from, to, first }: Run, test: ValueTest, flags: Uint8Array): void {
  const { type, a, b, bytes } = entries;
  for (let i = from, entry = first; i < to; i++, entry++) {
    if (test(type, a[entry]!, b[entry]!, bytes)) flags[rows[i]!] = 1;
  }
}

function testCodes({ rows, from, to, first }: Run, codes: ArrayLike<number>, known: Answers, flags: Uint8Array): void {
  for (let i = from, place = first; i < to; i++, place++) if (known.of(codes[place]!)) flags[rows[i]!] = 1;
}

const ASKED = 1;
const MET = 2;

/** Results of a test on entries that several rows share. */
class Answers {
  readonly #entries: Entries;
  readonly #test: ValueTest;
  readonly #known: Uint8Array;

  constructor(entries: Entries, test: ValueTest) {
    this.#entries = entries;
    this.#test = test;
    this.#known = new Uint8Array(entries.a.length);
  }

  of(entry: number): boolean {
    const known = this.#known[entry]!;
    if (known !== 0) return known === (ASKED | MET);
    const { type, a, b, bytes } = this.#entries;
    const isMet = this.#test(type, a[entry]!, b[entry]!, bytes);
    this.#known[entry] = isMet ? ASKED | MET : ASKED;
    return isMet;
  }
}

/** Values row by row, to compare two references: row r has values[starts[r] … starts[r + 1]). */
export interface RowValues {
  readonly starts: Uint32Array;
  readonly values: readonly Scalar[];
}

export function rowValues({ runs, isEmptyAbsent }: Source, rowCount: number): RowValues {
  const starts = new Uint32Array(rowCount + 1);
  const isValue = ({ b }: Entries, entry: number): boolean => isEmptyAbsent !== true || b[entry] !== 0;
  eachEntry(runs, (row, entries, entry) => {
    if (isValue(entries, entry)) starts[row + 1]!++;
  });
  for (let row = 0; row < rowCount; row++) starts[row + 1] = starts[row + 1]! + starts[row]!;
  const next = starts.slice();
  const values = Array.from<Scalar>({ length: starts[rowCount]! });
  eachEntry(runs, (row, entries, entry) => {
    const { type, a, b, bytes } = entries;
    if (isValue(entries, entry)) values[next[row]!++] = scalarOf(type, a[entry]!, b[entry]!, bytes);
  });
  return { starts, values };
}

/** Calls `visit` for every row of every run. */
export function eachEntry(runs: readonly Run[], visit: (row: number, entries: Entries, entry: number) => void): void {
  for (const { entries, rows, from, to, first, codes, isConstant } of runs) {
    for (let i = from; i < to; i++) {
      const place = isConstant === true ? first : first + i - from;
      visit(rows[i]!, entries, codes === undefined ? place : codes[place]!);
    }
  }
}

const NO_BYTES = new Uint8Array(0);

export function oneEntry(type: number, a: number, b: number, bytes: Uint8Array = NO_BYTES): Entries {
  return { type, a: [a], b: [b], bytes };
}

export function oneText(bytes: Uint8Array): Entries {
  return oneEntry(T.TYPE_STRING, 0, bytes.length, bytes);
}
