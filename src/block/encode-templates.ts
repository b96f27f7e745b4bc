// Writes the templates of a section column by column. In a block without repetition every row has its own template, and
// a column of similar neighbouring numbers compresses well. Layout: docs/format/block.md, "Templates".
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { scratch } from '../bytes/scratch.ts';
import { SequenceTable } from '../bytes/sequence-table.ts';
import { encodeNumbers } from '../codec/numbers.ts';
import * as T from '../trace/templates.ts';
import { SECTION_SPANS } from './block-columns.ts';

/** The head ints of a span that vary together: one scope, a few resources and one kind use a name. */
export const OPERATION_INTS: readonly number[] = [
  T.SPAN_RESOURCE,
  T.SPAN_SCOPE,
  T.SPAN_NAME,
  T.SPAN_KIND,
  T.SPAN_FLAGS,
];
/** The other head ints of a span. */
export const OUTCOME_INTS: readonly number[] = [T.SPAN_STATUS, T.SPAN_PRESENCE];

/** Collects templates, whose ids are block-local, in order. */
export class TemplateWriter {
  readonly #section: number;
  /** Each head int of all templates. */
  readonly #heads: readonly number[][];
  /** The fields of all templates, and for each template the index after its last field. */
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

  /** Adds a constant field: `a` is the constant's index for text types; otherwise `a` and `b` are its words. */
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

  /** Writes ranks of fields, the templates of one scope together: an instrumentation library has its own keys. */
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

/** Template ids by scope, then by id; by id alone if `scopes` is empty. */
export function templateOrder(scopes: ArrayLike<number>, count: number): number[] {
  const order = Array.from({ length: count }, (_, id) => id);
  if (scopes.length > 0) order.sort((x, y) => scopes[x]! - scopes[y]! || x - y);
  return order;
}

/** The values and their ranks, most frequent first; ties in order of first occurrence. */
function rankByFrequency(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const ranked = [...counts].sort((x, y) => y[1] - x[1]);
  return new Map(ranked.map(([value], rank) => [value, rank]));
}

function writeInts(out: ByteWriter, ints: readonly number[]): void {
  const { used } = scratch;
  const values = scratch.float64(ints.length);
  for (let i = 0; i < ints.length; i++) values[i] = ints[i]!;
  encodeNumbers(out, values, ints.length);
  scratch.giveBack(used);
}
