// Decides which blocks a filter need not open, from data of their part: outlines (operations, resources, scopes, longest
// spans) and filters of terms. The filter's tree is evaluated for each operation in a block with three results: no span of it
// meets the filter, every span does, or only the block can tell. So `not` prunes too, if its operand surely holds.
import { assert } from '../base/assert.ts';
import { ofOperation, operationKey, SOME_OPERATION, TermHash } from '../block/terms.ts';
import * as Terms from '../block/terms.ts';
import type { OutlineOperation } from '../block/outline.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import { serviceName } from '../trace/service-name.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import { ANY_NAME, durationStep, isUnknown, type BlockIds, type PartOutlines } from '../part/outlines.ts';
import { isReference, STATUS_WORDS } from '../trace/filter.ts';
import { SPAN_KINDS } from '../trace/span-kinds.ts';
import type { Filter, FilterConstant, FilterReference } from '../trace/filter.ts';
import * as T from '../trace/templates.ts';
import { fieldOfAttribute, isInErrorTag, resourceValues, scopeValues } from './filter-message.ts';
import { oneText, type Entries } from './filter-runs.ts';
import type { ValueTest } from './filter-value.ts';
import type { CompiledFilter } from './match-filter.ts';
import type { OutlinedBlock, PrunedBy } from './prune-blocks.ts';

/** Verdict on all spans of an operation in a block: none meets the filter, each does, or unknown. */
const NONE = 0;
const EACH = 1;
const OPEN = 2;
type Verdict = typeof NONE | typeof EACH | typeof OPEN;

/** One operation of one block. */
interface Place extends OutlinedBlock {
  /** Its number in the part. */
  readonly operation: number;
  /** durationStep of its longest span in the block. */
  readonly stepMax: number;
  readonly filter: () => FuseFilter | undefined;
}

/** The test of one reference's values. */
interface Asked {
  readonly reference: FilterReference;
  readonly test: ValueTest;
  /** `ne` and `not_in`: values exist, and none meets the test. */
  readonly isNone: boolean;
}

export class FilterPruner {
  readonly #filter: Filter;
  readonly #tests: ReadonlyMap<Filter, ValueTest>;
  /** Results for resources, scopes and their services, by part and leaf. */
  readonly #answers = new Map<PartOutlines, Map<Filter, (boolean | undefined)[]>>();
  readonly #services = new Map<PartOutlines, string[]>();
  readonly #terms = new Map<Filter, LeafTerms>();

  constructor({ filter, tests }: CompiledFilter) {
    this.#filter = filter;
    this.#tests = tests;
  }

  /** Why the block cannot match; undefined if it may. `filter` is called only when it can decide. */
  reject({ outlines, block }: OutlinedBlock, filter: () => FuseFilter | undefined): PrunedBy | undefined {
    if (isUnknown(outlines, block)) return undefined;
    const { starts, ids } = outlines.operationIds;
    let read: { readonly terms: FuseFilter | undefined } | undefined;
    const readOnce = (): FuseFilter | undefined => (read ??= { terms: filter() }).terms;
    for (let i = starts[block]!; i < starts[block + 1]!; i++) {
      const place = { outlines, block, operation: ids[i]!, stepMax: outlines.durationSteps[i]!, filter: readOnce };
      if (this.#judge(this.#filter, place) !== NONE) return undefined;
    }
    return 'tags';
  }

  #judge(filter: Filter, place: Place): Verdict {
    switch (filter.op) {
      case 'and':
        return this.#judgeAll(filter.filters, place, NONE);
      case 'or':
        return this.#judgeAll(filter.filters, place, EACH);
      case 'not': {
        const verdict = this.#judge(filter.filter, place);
        return verdict === OPEN ? OPEN : verdict === NONE ? EACH : NONE;
      }
      case 'some':
        // EACH for events does not mean EACH for spans: a span may have no event.
        return this.#judge(filter.filter, place) === NONE ? NONE : OPEN;
      case 'exists':
      case 'regex':
      case 'in':
        return this.#judgeLeaf(filter, { ...this.#asked(filter, filter.reference), isNone: false }, place);
      case 'not_in':
        return this.#judgeLeaf(filter, { ...this.#asked(filter, filter.reference), isNone: true }, place);
      default: {
        const { left, right } = filter;
        if (!isReference(left) || isReference(right)) return OPEN;
        return this.#judgeLeaf(filter, { ...this.#asked(filter, left), isNone: filter.op === 'ne' }, place);
      }
    }
  }

  /** One `decisive` verdict decides the whole; otherwise one open verdict leaves it open. */
  #judgeAll(filters: readonly Filter[], place: Place, decisive: typeof NONE | typeof EACH): Verdict {
    let isOpen = false;
    for (const filter of filters) {
      const verdict = this.#judge(filter, place);
      if (verdict === decisive) return decisive;
      isOpen ||= verdict === OPEN;
    }
    return isOpen ? OPEN : decisive === NONE ? EACH : NONE;
  }

  #asked(filter: Filter, reference: FilterReference): Pick<Asked, 'reference' | 'test'> {
    const test = this.#tests.get(filter);
    assert(test !== undefined, `a condition with ${filter.op} was not compiled`);
    return { reference, test };
  }

  #judgeLeaf(leaf: Filter, asked: Asked, place: Place): Verdict {
    const { reference } = asked;
    if (reference.kind === 'attribute') {
      const name = fieldOfAttribute(reference);
      if (name !== undefined) return this.#judgeLeaf(leaf, { ...asked, reference: { kind: 'field', name } }, place);
      if (isInErrorTag(reference)) return OPEN;
      if (reference.level === 'resource') return this.#judgeResources(leaf, asked, place);
      if (reference.level === 'scope') return this.#judgeScopes(leaf, asked, place);
      return this.#judgeValues(leaf, asked, place);
    }
    const { service, name, kind, status } = place.outlines.operations[place.operation]!;
    switch (reference.name) {
      case 'resource.service':
        return ofText(asked, service);
      case 'span.name':
        return name === ANY_NAME ? OPEN : ofText(asked, name);
      case 'span.kind':
        return ofText(asked, SPAN_KINDS[kind] ?? SPAN_KINDS[0]!);
      case 'span.status':
        return ofText(asked, STATUS_WORDS[status] ?? STATUS_WORDS[0]!);
      case 'span.duration':
        return isTooShort(leaf, place.stepMax) ? NONE : OPEN;
      case 'resource.schemaURL':
        return this.#judgeResources(leaf, asked, place);
      case 'scope.name':
      case 'scope.version':
      case 'scope.schemaURL':
        return this.#judgeScopes(leaf, asked, place);
      default:
        return this.#judgeValues(leaf, asked, place);
    }
  }

  /** Each span has one of the block's resources, one of its own service. */
  #judgeResources(leaf: Filter, asked: Asked, place: Place): Verdict {
    const { outlines, block, operation } = place;
    const { service } = outlines.operations[operation]!;
    const answers = this.#answersOf(outlines, leaf);
    return judgeIds(outlines.resourceIds, block, (id) => {
      if (this.#serviceOf(outlines, id) !== service) return undefined;
      return (answers[id] ??= holds(asked, resourceValues(asked.reference, outlines.resources[id]!)));
    });
  }

  #judgeScopes(leaf: Filter, asked: Asked, { outlines, block }: Place): Verdict {
    const answers = this.#answersOf(outlines, leaf);
    return judgeIds(
      outlines.scopeIds,
      block,
      (id) => (answers[id] ??= holds(asked, scopeValues(asked.reference, outlines.scopes[id]!))),
    );
  }

  /** Values of spans, events and links, which are in the filter of terms; without a level, resources are included. */
  #judgeValues(leaf: Filter, asked: Asked, place: Place): Verdict {
    const constants = constantsOf(leaf);
    if (constants === undefined) return OPEN;
    const { reference } = asked;
    const isOfResource = reference.kind === 'attribute' && reference.level === '';
    if (isOfResource && this.#judgeResources(leaf, asked, place) !== NONE) return OPEN;
    let terms = this.#terms.get(leaf);
    if (terms === undefined) this.#terms.set(leaf, (terms = new LeafTerms(reference, constants)));
    const filter = terms.isAny ? undefined : place.filter();
    if (filter === undefined) return OPEN;
    return terms.mayHold(filter, place.outlines.operations[place.operation]!) ? OPEN : NONE;
  }

  /** By resource, or by scope: a leaf needs only one of them. */
  #answersOf(outlines: PartOutlines, leaf: Filter): (boolean | undefined)[] {
    let ofPart = this.#answers.get(outlines);
    if (ofPart === undefined) this.#answers.set(outlines, (ofPart = new Map<Filter, (boolean | undefined)[]>()));
    let answers = ofPart.get(leaf);
    if (answers === undefined) ofPart.set(leaf, (answers = []));
    return answers;
  }

  #serviceOf(outlines: PartOutlines, resource: number): string {
    let services = this.#services.get(outlines);
    if (services === undefined) this.#services.set(outlines, (services = []));
    return (services[resource] ??= serviceName(parseDescriptor(outlines.resources[resource]!).message));
  }
}

function holds({ test, isNone }: Asked, values: readonly Entries[]): boolean {
  const isMet = values.some(({ type, a, b, bytes }) => test(type, a[0]!, b[0]!, bytes));
  return isNone ? values.length > 0 && !isMet : isMet;
}

function ofText(asked: Asked, text: string): Verdict {
  return holds(asked, [oneText(Buffer.from(text, 'utf8'))]) ? EACH : NONE;
}

/** `of` tells whether spans with an id meet the leaf; undefined: no span of the operation has this id. */
function judgeIds({ starts, ids }: BlockIds, block: number, of: (id: number) => boolean | undefined): Verdict {
  let verdict: Verdict | undefined;
  for (let i = starts[block]!; i < starts[block + 1]!; i++) {
    const answer = of(ids[i]!);
    if (answer === undefined) continue;
    const next = answer ? EACH : NONE;
    if (verdict !== undefined && verdict !== next) return OPEN;
    verdict = next;
  }
  return verdict ?? OPEN;
}

/** Above this, the batch's durations are not exact, so neither are the steps derived from them. */
const DURATION_MAX = 2n ** 53n;

function isTooShort(leaf: Filter, stepMax: number): boolean {
  if (leaf.op !== 'gt' && leaf.op !== 'gte' && leaf.op !== 'eq') return false;
  if (isReference(leaf.right) || leaf.right.kind !== 'ns' || leaf.right.value > DURATION_MAX) return false;
  return stepMax < durationStep(Number(leaf.right.value));
}

/** The constants of which a value must equal one; undefined if the leaf tests something else. */
function constantsOf(leaf: Filter): readonly FilterConstant[] | undefined {
  if (leaf.op === 'in') return leaf.values;
  return leaf.op === 'eq' && !isReference(leaf.right) ? [leaf.right] : undefined;
}

/** Terms of which a block must have at least one if a value of a span, an event or a link equals one of the constants. */
class LeafTerms {
  /** Such values have no terms: any block may have them. */
  readonly isAny: boolean;
  readonly #begun: readonly (readonly [lo: number, hi: number])[];

  constructor(reference: FilterReference, constants: readonly FilterConstant[]) {
    const hashes = constants.map((constant) =>
      reference.kind === 'field' ? fieldTerms(reference, constant) : attributeTerms(reference.key, constant),
    );
    this.isAny = hashes.includes(undefined);
    this.#begun = hashes.flatMap((some) => some ?? []).map(({ lo, hi }) => [lo, hi] as const);
  }

  /** False if the filter has neither the terms of lone values nor those of values with the operation. */
  mayHold(filter: FuseFilter, { service, name }: Pick<OutlineOperation, 'service' | 'name'>): boolean {
    const operation = name === ANY_NAME ? SOME_OPERATION : operationKey(service, name);
    const has = (lo: number, hi: number, of: Uint8Array): boolean => {
      const hash = ofOperation(resumed(lo, hi), of).end();
      return filter.mayContain(hash.lo, hash.hi);
    };
    return this.#begun.some(([lo, hi]) => {
      const alone = resumed(lo, hi).end();
      return filter.mayContain(alone.lo, alone.hi) || (has(lo, hi, SOME_OPERATION) && has(lo, hi, operation));
    });
  }
}

function resumed(lo: number, hi: number): TermHash {
  const hash = new TermHash();
  hash.lo = lo;
  hash.hi = hi;
  return hash;
}

function textTerm(kind: number, text: string, key?: string): TermHash {
  const hash = new TermHash().begin(kind);
  for (const part of key === undefined ? [text] : [key, text]) {
    const bytes = Buffer.from(part, 'utf8');
    hash.bytes(bytes, 0, bytes.length);
  }
  return hash;
}

function fieldTerms(reference: FilterReference & { kind: 'field' }, constant: FilterConstant): TermHash[] | undefined {
  if (constant.kind !== 'string') return undefined;
  switch (reference.name) {
    case 'span.statusMessage':
      return [textTerm(Terms.TERM_INTRINSIC + T.FIELD_STATUS_MESSAGE, constant.text)];
    case 'span.traceState':
    case 'link.traceState':
      return [textTerm(Terms.TERM_INTRINSIC + T.FIELD_TRACE_STATE, constant.text)];
    case 'event.name':
      return [textTerm(Terms.TERM_EVENT_NAME, constant.text)];
    default:
      return undefined;
  }
}

function attributeTerms(key: string, constant: FilterConstant): TermHash[] {
  const [text, bool, number] = readingsOf(constant);
  const out = text === undefined ? [] : [textTerm(Terms.TERM_TEXT, text, key)];
  const words = (type: number, buffer: ArrayBuffer): void => {
    const [lo, hi] = new Uint32Array(buffer) as Uint32Array & [number, number];
    out.push(
      textTerm(Terms.TERM_WORDS + type, key)
        .word(lo)
        .word(hi),
    );
  };
  if (bool !== undefined) words(T.TYPE_BOOL, Uint32Array.of(bool ? 1 : 0, 0).buffer);
  if (number === undefined) return out;
  const integer = typeof number === 'number' && !Number.isInteger(number) ? undefined : BigInt(number);
  if (integer !== undefined && BigInt.asIntN(64, integer) === integer) {
    words(T.TYPE_INT, BigInt64Array.of(integer).buffer);
  }
  for (const double of Number(number) === 0 ? [0, -0] : [Number(number)]) {
    words(T.TYPE_DOUBLE, Float64Array.of(double).buffer);
  }
  return out;
}

/** The texts, booleans and numbers that a constant equals. Too many are harmless; a missing one would lose answers. */
function readingsOf(constant: FilterConstant): [string | undefined, boolean | undefined, bigint | number | undefined] {
  switch (constant.kind) {
    case 'any':
      return [constant.text, constant.bool, constant.number];
    case 'string':
      return [constant.text, undefined, undefined];
    case 'bool':
      return [undefined, constant.value, undefined];
    default:
      return [undefined, undefined, constant.value];
  }
}
