// Which blocks a search need not open, by what its part knows of them: outlines (operations, resources, scopes, longest
// spans) and filters. A block stays in question while some operation in it may have a span that meets every condition.
import type { FuseFilter } from '../codec/fuse-filter.ts';
import { serviceName } from '../otlp/service-name.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import { durationStep, type BlockIds, type PartOutlines } from '../part/outlines.ts';
import type { SpanConditions } from './match-block.ts';
import type { TagMatcher } from './match-tag.ts';
import { TagTerms } from './query-terms.ts';

/** What a block was left out for. */
export type PrunedBy = 'operation' | 'duration' | 'tags';

/** A block as its part knows it. */
export interface OutlinedBlock {
  readonly outlines: PartOutlines;
  /** Its number in the part. */
  readonly block: number;
}

const UNKNOWN = 0;
const NO = 1;
const YES = 2;

export class BlockPruner {
  readonly #conditions: Pick<SpanConditions, 'service' | 'operation'>;
  readonly #tags: readonly { readonly matcher: TagMatcher; readonly terms: TagTerms }[];
  readonly #durationStepMin: number;
  readonly #parts = new Map<PartOutlines, PartAnswers>();

  /** `durationMinNs`: undefined or below 0 for any. */
  constructor(
    conditions: Pick<SpanConditions, 'service' | 'operation'>,
    tags: readonly TagMatcher[],
    durationMinNs?: number,
  ) {
    this.#conditions = conditions;
    // What is denied may hold anywhere.
    const asked = tags.filter(({ tag }) => !tag.isNegated);
    this.#tags = asked.map((matcher) => ({ matcher, terms: new TagTerms(matcher.tag) }));
    this.#durationStepMin = durationStep(durationMinNs ?? 0);
  }

  /** Why the block surely has no match, or undefined when it may. `filter` is asked for only when it can decide. */
  reject({ outlines, block }: OutlinedBlock, filter: () => FuseFilter | undefined): PrunedBy | undefined {
    const part = this.#part(outlines);
    const { starts, ids } = outlines.operationIds;
    let reason: PrunedBy = 'operation';
    let inBlock: BlockAnswers | undefined;
    for (let i = starts[block]!; i < starts[block + 1]!; i++) {
      const operation = ids[i]!;
      if (part.isWanted[operation] !== YES) continue;
      if (outlines.durationSteps[i]! < this.#durationStepMin) {
        if (reason === 'operation') reason = 'duration';
        continue;
      }
      if (this.#tags.length === 0) return undefined;
      inBlock ??= new BlockAnswers(part, block, filter);
      const answers = inBlock;
      if (this.#tags.every((tag, index) => answers.mayHold(tag, index, operation))) return undefined;
      reason = 'tags';
    }
    return reason;
  }

  #part(outlines: PartOutlines): PartAnswers {
    let part = this.#parts.get(outlines);
    if (part === undefined) {
      part = new PartAnswers(outlines, this.#conditions, this.#tags.length);
      this.#parts.set(outlines, part);
    }
    return part;
  }
}

/** What a search has found out about the lists of a part. */
class PartAnswers {
  readonly outlines: PartOutlines;
  /** By operation: YES where service and name are those asked for. */
  readonly isWanted: Uint8Array;
  /** By operation. */
  readonly serviceOf: Int32Array;
  readonly services: readonly string[];
  /** By tag, then by operation, resource, scope: UNKNOWN until it was asked. */
  readonly byOperation: readonly Uint8Array[];
  readonly byResource: readonly Uint8Array[];
  readonly byScope: readonly Uint8Array[];
  readonly #resourceServices: Int32Array;

  constructor(
    outlines: PartOutlines,
    { service, operation }: Pick<SpanConditions, 'service' | 'operation'>,
    tags: number,
  ) {
    const { operations, resources, scopes } = outlines;
    this.outlines = outlines;
    this.isWanted = Uint8Array.from(operations, (one) =>
      (service === undefined || one.service === service) && (operation === undefined || one.name === operation)
        ? YES
        : NO,
    );
    const numbers = new Map<string, number>();
    this.serviceOf = Int32Array.from(operations, (one) => {
      const known = numbers.get(one.service) ?? numbers.size;
      numbers.set(one.service, known);
      return known;
    });
    this.services = [...numbers.keys()];
    const empty = (size: number): Uint8Array[] => Array.from({ length: tags }, () => new Uint8Array(size));
    this.byOperation = empty(operations.length);
    this.byResource = empty(resources.length);
    this.byScope = empty(scopes.length);
    this.#resourceServices = new Int32Array(resources.length).fill(-1);
  }

  /** Number of the resource's service. */
  serviceOfResource(resource: number): number {
    const known = this.#resourceServices[resource]!;
    if (known >= 0) return known;
    const name = serviceName(parseDescriptor(this.outlines.resources[resource]!).message);
    return (this.#resourceServices[resource] = this.services.indexOf(name));
  }
}

/** What is found out about one block: by tag, by service. */
class BlockAnswers {
  readonly #part: PartAnswers;
  readonly #block: number;
  readonly #readFilter: () => FuseFilter | undefined;
  #filter: FuseFilter | 'unread' | undefined = 'unread';
  readonly #byService: (Uint8Array | undefined)[] = [];

  constructor(part: PartAnswers, block: number, readFilter: () => FuseFilter | undefined) {
    this.#part = part;
    this.#block = block;
    this.#readFilter = readFilter;
  }

  /** True unless no span of `operation` in the block can meet tag number `index`. */
  mayHold(tag: { matcher: TagMatcher; terms: TagTerms }, index: number, operation: number): boolean {
    const known = this.#part.byOperation[index]!;
    if (known[operation] === UNKNOWN) {
      const { kind, status } = this.#part.outlines.operations[operation]!;
      known[operation] = tag.matcher.operationHolds(kind, status) ? YES : NO;
    }
    if (known[operation] === YES) return true;
    const service = this.#part.serviceOf[operation]!;
    const answers = (this.#byService[index] ??= new Uint8Array(this.#part.services.length));
    if (answers[service] === UNKNOWN) answers[service] = this.#serviceMayHold(tag, index, service) ? YES : NO;
    return answers[service] === YES;
  }

  #serviceMayHold(tag: { matcher: TagMatcher; terms: TagTerms }, index: number, service: number): boolean {
    const { outlines, byResource, byScope, services } = this.#part;
    const { matcher, terms } = tag;
    const scopeHolds = (id: number): boolean =>
      remembered(byScope[index]!, id, () => matcher.scopeHolds(outlines.scopes[id]!));
    if (someId(outlines.scopeIds, this.#block, scopeHolds)) return true;
    const resourceHolds = (id: number): boolean =>
      remembered(byResource[index]!, id, () => matcher.resourceHolds(outlines.resources[id]!)) &&
      this.#part.serviceOfResource(id) === service;
    if (someId(outlines.resourceIds, this.#block, resourceHolds)) return true;
    if (this.#filter === 'unread') this.#filter = this.#readFilter();
    return this.#filter === undefined || terms.mayHold(this.#filter, services[service]!);
  }
}

function someId({ starts, ids }: BlockIds, block: number, holds: (id: number) => boolean): boolean {
  for (let i = starts[block]!; i < starts[block + 1]!; i++) if (holds(ids[i]!)) return true;
  return false;
}

function remembered(answers: Uint8Array, id: number, decide: () => boolean): boolean {
  if (answers[id] === UNKNOWN) answers[id] = decide() ? YES : NO;
  return answers[id] === YES;
}
