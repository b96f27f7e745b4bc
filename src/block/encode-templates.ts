// Writes the templates of a section column by column: in a block without repetition every row has a template of its own,
// and what costs little then is a number that looks like its neighbours. Layout: docs/format/block.md, "Templates".
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { SequenceTable } from '../bytes/sequence-table.ts';
import { encodeNumbers } from '../codec/numbers.ts';
import * as T from '../trace/templates.ts';
import { SECTION_SPANS } from './block-columns.ts';

/** What of a span's head goes together: a name is used by one scope of some resources with one kind. */
export const OPERATION_INTS: readonly number[] = [
  T.SPAN_RESOURCE,
  T.SPAN_SCOPE,
  T.SPAN_NAME,
  T.SPAN_KIND,
  T.SPAN_FLAGS,
];
/** What is left of it. */
export const OUTCOME_INTS: readonly number[] = [T.SPAN_STATUS, T.SPAN_PRESENCE];

/** Collects templates whose ids are the block's own, in their order. */
export class TemplateWriter {
  readonly #section: number;
  /** Every head int over all templates. */
  readonly #heads: readonly number[][];
  /** Fields of all templates, and the index behind each template's last. */
  readonly #fields: number[] = [];
  readonly #ends: number[] = [];
  readonly #texts: number[] = [];
  readonly #bools = new ByteWriter(64);
  readonly #words = new ByteWriter(64);

  constructor(section: number, headInts: number) {
    this.#section = section;
    this.#heads = Array.from({ length: headInts }, () => []);
  }

  /** Adds an int of the next template's head; its fields follow, then endTemplate(). */
  addHead(int: number, position: number): void {
    this.#heads[position]!.push(int);
  }

  /** Adds a field whose values are in a column. */
  addField(field: number): void {
    this.#fields.push(field * 2);
  }

  /** Adds a field with its one value: of text types the index of the constant, of others its words. */
  addConstant(field: number, a: number, b: number): void {
    this.#fields.push(field * 2 + 1);
    const type = T.fieldType(field);
    if (T.isArenaType(type)) this.#texts.push(a);
    else if (type === T.TYPE_BOOL) this.#bools.u8(a);
    else if (type === T.TYPE_INT || type === T.TYPE_DOUBLE) this.#words.u64(a, b);
  }

  endTemplate(): void {
    assert(this.#heads.at(-1)!.length === this.count + 1, 'a template without its whole head');
    this.#ends.push(this.#fields.length);
  }

  get count(): number {
    return this.#ends.length;
  }

  write(out: ByteWriter): void {
    if (this.#section === SECTION_SPANS) this.#writeSpanHeads(out);
    else for (const ints of this.#heads) writeInts(out, ints);
    writeInts(
      out,
      this.#ends.map((end, id) => end - this.#start(id)),
    );
    this.#writeFields(out);
    writeInts(out, this.#texts);
    out.raw(this.#bools.view());
    out.raw(this.#words.view());
  }

  #writeSpanHeads(out: ByteWriter): void {
    const operations = new SequenceTable();
    const scratch = new Int32Array(OPERATION_INTS.length);
    const codes = this.#ends.map((_, id) => {
      OPERATION_INTS.forEach((int, i) => (scratch[i] = this.#heads[int]![id]!));
      return operations.intern(scratch, scratch.length);
    });
    out.varint(operations.count);
    OPERATION_INTS.forEach((_, i) => {
      const ints = new Float64Array(operations.count);
      for (let id = 0; id < ints.length; id++) ints[id] = operations.ints[operations.start(id) + i]!;
      encodeNumbers(out, ints, ints.length);
    });
    writeInts(out, codes);
    for (const int of OUTCOME_INTS) writeInts(out, this.#heads[int]!);
  }

  /** Ranks of the fields, the templates of one scope together: an instrumentation library has keys of its own. */
  #writeFields(out: ByteWriter): void {
    const ranks = rankByFrequency(this.#fields);
    out.varint(ranks.size);
    writeInts(out, [...ranks.keys()]);
    const scopes = this.#section === SECTION_SPANS ? this.#heads[T.SPAN_SCOPE]! : [];
    const ordered = new Float64Array(this.#fields.length);
    const parts: number[] = [];
    let to = 0;
    let previous: number | undefined;
    for (const id of templateOrder(scopes, this.count)) {
      if (scopes[id] !== previous) parts.push(to);
      previous = scopes[id];
      for (let i = this.#start(id); i < this.#ends[id]!; i++) ordered[to++] = ranks.get(this.#fields[i]!)!;
    }
    encodeNumbers(out, ordered, to, parts);
  }

  #start(id: number): number {
    return id === 0 ? 0 : this.#ends[id - 1]!;
  }
}

/** Template ids by scope, then by id; by id alone where `scopes` is empty. */
export function templateOrder(scopes: ArrayLike<number>, count: number): number[] {
  const order = Array.from({ length: count }, (_, id) => id);
  if (scopes.length > 0) order.sort((x, y) => scopes[x]! - scopes[y]! || x - y);
  return order;
}

/** Values and their ranks, most frequent first; ties in order of first sight. */
function rankByFrequency(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const ranked = [...counts].sort((x, y) => y[1] - x[1]);
  return new Map(ranked.map(([value], rank) => [value, rank]));
}

function writeInts(out: ByteWriter, ints: readonly number[]): void {
  encodeNumbers(out, Float64Array.from(ints), ints.length);
}
