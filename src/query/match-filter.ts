// Evaluates a filter over the rows of one row group, with a flag array for each node of its tree. A comparison is evaluated on
// dictionaries, templates and columns, once for all rows (filter-runs.ts). Its flags, per span, event or link, are then
// mapped to the places where the filter is evaluated: every span, or, inside `some`, every event or link with its span.
import { assert } from '../base/assert.ts';
import * as C from '../block/block-columns.ts';
import type { ChildLevel } from '../trace/attribute-levels.ts';
import {
  isReference,
  type Comparison,
  type Filter,
  type FilterOperand,
  type FilterReference,
} from '../trace/filter.ts';
import type { BlockView } from './block-view.ts';
import { FilterBlock } from './filter-block.ts';
import { rowValues, testSource, type RowValues, type Source } from './filter-runs.ts';
import {
  comparisonTest,
  compareConstants,
  compareScalars,
  membershipTest,
  patternTest,
  type Scalar,
  type ValueTest,
} from './filter-value.ts';

/** A flag per row of the group, set if the filter holds. */
export function matchFilter(view: BlockView, filter: CompiledFilter): Uint8Array {
  return new FilterMatcher(new FilterBlock(view), filter).flags(filter.filter, {
    count: view.group.rowCount,
    spans: undefined,
    children: [],
  });
}

/** A filter with its tests, compiled once per search. */
export interface CompiledFilter {
  readonly filter: Filter;
  readonly tests: ReadonlyMap<Filter, ValueTest>;
  /** Called between pieces of long work; may throw to end it. */
  readonly check: () => void;
}

export function compileFilter(filter: Filter, check: () => void): CompiledFilter {
  const tests = new Map<Filter, ValueTest>();
  addTests(filter, tests, check);
  return { filter, tests, check };
}

function addTests(filter: Filter, tests: Map<Filter, ValueTest>, check: () => void): void {
  switch (filter.op) {
    case 'and':
    case 'or':
      for (const one of filter.filters) addTests(one, tests, check);
      break;
    case 'not':
    case 'some':
      addTests(filter.filter, tests, check);
      break;
    case 'exists':
      tests.set(filter, () => true);
      break;
    case 'regex':
      tests.set(filter, patternTest(filter.pattern, check));
      break;
    case 'in':
    case 'not_in':
      tests.set(filter, membershipTest(filter.values));
      break;
    default:
      if (!isReference(filter.right)) tests.set(filter, comparisonTest(filter.op, filter.right));
  }
}

/** Where a filter is evaluated: spans, each alone or with the event and the link that `some` binds. */
interface Places {
  readonly count: number;
  /** Span row of each place; undefined: place and row are the same. */
  readonly spans: Uint32Array | undefined;
  /** By section: the bound event (or link) of each place, if any. */
  readonly children: readonly (Uint32Array | undefined)[];
}

/** Places of a `some` evaluated together: bounds memory to a few hundred KB, even if a span has many events. */
const PLACES_MAX = 65_536;
/** Pairs of values compared between two calls of `check`. */
const PAIRS_PER_CHECK = 1 << 20;

const SECTION_OF: Readonly<Record<ChildLevel, number>> = { event: C.SECTION_EVENTS, link: C.SECTION_LINKS };

/** A comparison or a membership: a test of one reference's values. */
type Leaf = Exclude<Filter, { op: 'and' | 'or' | 'not' | 'some' }>;
type Comparing = Extract<Filter, { left: FilterOperand }>;

class FilterMatcher {
  readonly #block: FilterBlock;
  readonly #tests: ReadonlyMap<Filter, ValueTest>;
  readonly #check: () => void;
  /** Flags of a section's rows that meet a leaf, or have a value at all. Cached: `some` evaluates a leaf several times. */
  readonly #met = new Map<Leaf, Uint8Array>();
  readonly #present = new Map<Leaf, Uint8Array>();
  readonly #values = new Map<Source, RowValues>();
  #pairs = 0;

  constructor(block: FilterBlock, { tests, check }: CompiledFilter) {
    this.#block = block;
    this.#tests = tests;
    this.#check = check;
  }

  /** A flag per place; the caller may change it. */
  flags(filter: Filter, places: Places): Uint8Array {
    switch (filter.op) {
      case 'and':
        return this.#all(filter.filters, places);
      case 'or':
        return this.#any(filter.filters, places);
      case 'not':
        return inverted(this.flags(filter.filter, places));
      case 'some':
        return this.#some(filter.filter, SECTION_OF[filter.level], places);
      case 'exists':
      case 'regex':
      case 'in':
        return this.#meets(filter, filter.reference, places);
      case 'not_in':
        return this.#meetsNone(filter, filter.reference, places);
      default:
        return this.#compares(filter, places);
    }
  }

  /** Stops at the first filter after which no place is left. */
  #all(filters: readonly Filter[], places: Places): Uint8Array {
    const flags = this.flags(filters[0]!, places);
    for (const filter of filters.slice(1)) {
      if (!flags.includes(1)) break;
      const more = this.flags(filter, places);
      for (let i = 0; i < flags.length; i++) flags[i]! &= more[i]!;
    }
    return flags;
  }

  #any(filters: readonly Filter[], places: Places): Uint8Array {
    const flags = this.flags(filters[0]!, places);
    for (const filter of filters.slice(1)) {
      const more = this.flags(filter, places);
      for (let i = 0; i < flags.length; i++) flags[i]! |= more[i]!;
    }
    return flags;
  }

  #compares(filter: Comparing, places: Places): Uint8Array {
    const { op, left, right } = filter;
    if (isReference(left)) {
      if (isReference(right)) return this.#comparesTwo(op, [left, right], places);
      return op === 'ne' ? this.#meetsNone(filter, left, places) : this.#meets(filter, left, places);
    }
    // Two constants: the result is the same for every place.
    const isMet = !isReference(right) && compareConstants(op, left, right) === (op !== 'ne');
    return new Uint8Array(places.count).fill(isMet ? 1 : 0);
  }

  /** One of the reference's values meets the leaf's test. */
  #meets(leaf: Leaf, reference: FilterReference, places: Places): Uint8Array {
    const source = this.#block.source(reference);
    let met = this.#met.get(leaf);
    if (met === undefined) this.#met.set(leaf, (met = this.#testRows(source, this.#tests.get(leaf))));
    return this.#spread(met, source.section, places);
  }

  /** There is a value, and none meets the leaf's test. */
  #meetsNone(leaf: Leaf, reference: FilterReference, places: Places): Uint8Array {
    const source = this.#block.source(reference);
    let present = this.#present.get(leaf);
    if (present === undefined) this.#present.set(leaf, (present = this.#testRows(source, isThere)));
    const flags = this.#spread(present, source.section, places);
    const met = this.#meets(leaf, reference, places);
    for (let i = 0; i < flags.length; i++) flags[i]! &= 1 - met[i]!;
    return flags;
  }

  #testRows(source: Source, test: ValueTest | undefined): Uint8Array {
    assert(test !== undefined, 'a condition of a filter was not compiled');
    this.#check();
    return testSource(source, this.#block.view.rows(source.section).rows.length, test);
  }

  /** Maps flags of a section's rows to places; where no event (or link) is bound, any of the span's may meet the leaf. */
  #spread(flags: Uint8Array, section: number, places: Places): Uint8Array {
    const { count, spans } = places;
    if (section === C.SECTION_SPANS) return spans === undefined ? flags.slice() : gathered(flags, spans);
    const bound = places.children[section];
    if (bound !== undefined) return gathered(flags, bound);
    const starts = this.#block.view.childStarts(section);
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const row = spans === undefined ? i : spans[i]!;
      for (let child = starts[row]!; child < starts[row + 1]! && out[i] === 0; child++) out[i] = flags[child]!;
    }
    return out;
  }

  /** A place is met if one of its span's events (or links) meets `filter` when bound. */
  #some(filter: Filter, section: number, places: Places): Uint8Array {
    const starts = this.#block.view.childStarts(section);
    const out = new Uint8Array(places.count);
    let from = { place: 0, child: 0 };
    while (from.place < places.count) {
      this.#check();
      const { inner, owners, next } = bind(places, { starts, section, from });
      const flags = this.flags(filter, inner);
      for (let i = 0; i < owners.length; i++) out[owners[i]!]! |= flags[i]!;
      assert(next.place > from.place || next.child > from.child, 'a nested condition goes round in circles');
      from = next;
    }
    return out;
  }

  /** Some pair of the two references' values compares so; for `ne`, pairs exist and none is equal. */
  #comparesTwo(op: Comparison, references: readonly [FilterReference, FilterReference], places: Places): Uint8Array {
    const [left, right] = references.map((reference) => this.#block.source(reference)) as [Source, Source];
    const [x, y] = [this.#valuesOf(left), this.#valuesOf(right)];
    const out = new Uint8Array(places.count);
    this.#check();
    for (let i = 0; i < places.count; i++) {
      const [xFrom, xTo] = this.#range(x.starts, left.section, { places, i });
      const [yFrom, yTo] = this.#range(y.starts, right.section, { places, i });
      if (xFrom === xTo || yFrom === yTo) continue;
      const isMet = this.#anyPair(op, x.values.slice(xFrom, xTo), y.values.slice(yFrom, yTo));
      out[i] = isMet === (op !== 'ne') ? 1 : 0;
    }
    return out;
  }

  #valuesOf(source: Source): RowValues {
    let values = this.#values.get(source);
    if (values === undefined) {
      values = rowValues(source, this.#block.view.rows(source.section).rows.length);
      this.#values.set(source, values);
    }
    return values;
  }

  /** The range of the values of place i. */
  #range(starts: Uint32Array, section: number, { places, i }: { places: Places; i: number }): [number, number] {
    const row = places.spans === undefined ? i : places.spans[i]!;
    if (section === C.SECTION_SPANS) return [starts[row]!, starts[row + 1]!];
    const bound = places.children[section];
    if (bound !== undefined) return [starts[bound[i]!]!, starts[bound[i]! + 1]!];
    const children = this.#block.view.childStarts(section);
    return [starts[children[row]!]!, starts[children[row + 1]!]!];
  }

  #anyPair(op: Comparison, xs: readonly Scalar[], ys: readonly Scalar[]): boolean {
    for (const x of xs) {
      this.#pairs += ys.length;
      if (this.#pairs > PAIRS_PER_CHECK) {
        this.#pairs = 0;
        this.#check();
      }
      for (const y of ys) if (compareScalars(op, x, y)) return true;
    }
    return false;
  }
}

const isThere: ValueTest = () => true;

function inverted(flags: Uint8Array): Uint8Array {
  for (let i = 0; i < flags.length; i++) flags[i] = 1 - flags[i]!;
  return flags;
}

function gathered(flags: Uint8Array, rows: Uint32Array): Uint8Array {
  const out = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = flags[rows[i]!]!;
  return out;
}

/** Where a `some` continues: child `child` of the span of place `place`, but not before the span's first child. */
interface Cursor {
  readonly place: number;
  readonly child: number;
}

interface Binding {
  /** First child of each span row. */
  readonly starts: Uint32Array;
  readonly section: number;
  readonly from: Cursor;
}

/** The next PLACES_MAX pairs of a place and one of its children, as new places; `owners` holds each pair's original place. */
function bind(
  places: Places,
  { starts, section, from }: Binding,
): { inner: Places; owners: Uint32Array; next: Cursor } {
  const owners: number[] = [];
  const bound: number[] = [];
  let { place, child } = from;
  for (; place < places.count; place++, child = 0) {
    const row = places.spans === undefined ? place : places.spans[place]!;
    child = Math.max(child, starts[row]!);
    for (; child < starts[row + 1]! && owners.length < PLACES_MAX; child++) {
      owners.push(place);
      bound.push(child);
    }
    if (child < starts[row + 1]!) break;
  }
  const owner = Uint32Array.from(owners);
  const children = places.children.map((rows) => rows && Uint32Array.from(owner, (of) => rows[of]!));
  children[section] = Uint32Array.from(bound);
  const spans = Uint32Array.from(owner, (of) => (places.spans === undefined ? of : places.spans[of]!));
  return { inner: { count: owner.length, spans, children }, owners: owner, next: { place, child } };
}
