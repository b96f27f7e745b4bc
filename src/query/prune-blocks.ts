// Decides which blocks a search need not open, from data of their part: outlines (operations, resources, scopes, longest
// spans) and filters. A block stays a candidate while some operation in it may have a span that meets every condition.
import { assert } from '../base/assert.ts';
import { operationKey } from '../block/terms.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import { serviceName } from '../trace/service-name.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import { ANY_NAME, durationStep, isUnknown, mayBeNamed, type BlockIds, type PartOutlines } from '../part/outlines.ts';
import type { SpanConditions } from './match-block.ts';
import type { TagMatcher } from './match-tag.ts';
import { hasAny, TagTerms, type Hashes } from './query-terms.ts';

/** Why a block was left out. */
export type PrunedBy = 'operation' | 'duration' | 'tags';

/** A block with its part's outlines. */
export interface OutlinedBlock {
  readonly outlines: PartOutlines;
  /** Its number in the part. */
  readonly block: number;
}

interface AskedTag {
  readonly matcher: TagMatcher;
  readonly terms: TagTerms;
}

export class BlockPruner {
  readonly #conditions: Pick<SpanConditions, 'service' | 'operation'>;
  readonly #tags: readonly AskedTag[];
  readonly #durationStepMin: number;
  readonly #parts = new Map<PartOutlines, PartAnswers>();

  /** `durationMinNs`: undefined or below 0 means any. */
  constructor(
    conditions: Pick<SpanConditions, 'service' | 'operation'>,
    tags: readonly TagMatcher[],
    durationMinNs?: number,
  ) {
    this.#conditions = conditions;
    // A negated condition cannot prune a block: any block may match it.
    const asked = tags.filter(({ tag }) => !tag.isNegated);
    this.#tags = asked.map((matcher) => ({ matcher, terms: new TagTerms(matcher.tag) }));
    this.#durationStepMin = durationStep(durationMinNs ?? 0);
  }

  /** Why the block cannot match; undefined if it may. `filter` is called only when it can decide. */
  reject({ outlines, block }: OutlinedBlock, filter: () => FuseFilter | undefined): PrunedBy | undefined {
    if (isUnknown(outlines, block)) return undefined;
    const part = this.#part(outlines);
    const { starts, ids } = outlines.operationIds;
    let reason: PrunedBy = 'operation';
    let inBlock: BlockAnswers | undefined;
    for (let i = starts[block]!; i < starts[block + 1]!; i++) {
      const operation = ids[i]!;
      if (part.isWanted[operation] === 0) continue;
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
      part = new PartAnswers(outlines, this.#conditions, this.#tags);
      this.#parts.set(outlines, part);
    }
    return part;
  }
}

/** A search's results for the lists of a part. */
class PartAnswers {
  readonly outlines: PartOutlines;
  /** By operation: 1 if service and name are the requested ones. */
  readonly isWanted: Uint8Array;
  /** By operation: the number of its service. */
  readonly serviceOf: Int32Array;
  /** By tag, then by operation: 1 if kind or status meets the tag. */
  readonly byOperation: readonly Uint8Array[];
  readonly #tags: readonly AskedTag[];
  readonly #services = new Map<string, number>();
  /** By tag: the service of each resource that has it, -1 for the others; undefined if no resource has it. */
  readonly #resources: ({ readonly serviceOf: Int32Array | undefined } | undefined)[] = [];
  /** By tag, then by scope. */
  readonly #scopes: (Uint8Array | undefined)[] = [];
  /** By tag, then by operation. */
  readonly #terms: (Hashes | undefined)[][];

  constructor(
    outlines: PartOutlines,
    { service, operation }: Pick<SpanConditions, 'service' | 'operation'>,
    tags: readonly AskedTag[],
  ) {
    const { operations } = outlines;
    this.outlines = outlines;
    this.#tags = tags;
    this.isWanted = Uint8Array.from(operations, (one) =>
      Number((service === undefined || one.service === service) && mayBeNamed(one.name, operation)),
    );
    this.serviceOf = Int32Array.from(operations, (one) => this.#numberOf(one.service));
    this.byOperation = tags.map(({ matcher }) =>
      Uint8Array.from(operations, ({ kind, status }) => Number(matcher.operationHolds(kind, status))),
    );
    this.#terms = tags.map(() => []);
  }

  #numberOf(service: string): number {
    const known = this.#services.get(service) ?? this.#services.size;
    this.#services.set(service, known);
    return known;
  }

  termsOf(tag: number, operation: number): Hashes {
    const { service, name } = this.outlines.operations[operation]!;
    return (this.#terms[tag]![operation] ??= this.#tags[tag]!.terms.of(operationKey(service, name)));
  }

  /** The service of each resource that has the tag, -1 for the others; undefined when no resource has it. */
  resourcesWith(tag: number): Int32Array | undefined {
    let known = this.#resources[tag];
    if (known === undefined) {
      const { matcher } = this.#tags[tag]!;
      const serviceOf = Int32Array.from(this.outlines.resources, (resource) =>
        matcher.resourceHolds(resource) ? this.#numberOf(serviceName(parseDescriptor(resource).message)) : -1,
      );
      known = this.#resources[tag] = { serviceOf: serviceOf.some((service) => service >= 0) ? serviceOf : undefined };
    }
    return known.serviceOf;
  }

  /** By scope: 1 if it has the tag. */
  scopesWith(tag: number): Uint8Array {
    const { matcher } = this.#tags[tag]!;
    return (this.#scopes[tag] ??= Uint8Array.from(this.outlines.scopes, (scope) => Number(matcher.scopeHolds(scope))));
  }
}

/** Results for one block, by tag. */
class BlockAnswers {
  readonly #part: PartAnswers;
  readonly #block: number;
  readonly #readFilter: () => FuseFilter | undefined;
  #filter: FuseFilter | 'unread' | undefined = 'unread';
  /** Whether the tag may hold for all operations of the block, judged by data that belongs to no single operation. */
  readonly #ofAll: (boolean | undefined)[] = [];
  readonly #isPaired: (boolean | undefined)[] = [];

  constructor(part: PartAnswers, block: number, readFilter: () => FuseFilter | undefined) {
    this.#part = part;
    this.#block = block;
    this.#readFilter = readFilter;
  }

  /** True unless no span of `operation` in the block can meet tag number `index`. */
  mayHold({ terms }: AskedTag, index: number, operation: number): boolean {
    const part = this.#part;
    if (part.byOperation[index]![operation] === 1) return true;
    if ((this.#ofAll[index] ??= this.#mayHoldForAll(terms, index))) return true;
    if (this.#resourceHolds(index, part.serviceOf[operation]!)) return true;
    const filter = this.#theFilter();
    assert(filter !== undefined, 'a block without a filter is judged by one');
    if (!(this.#isPaired[index] ??= hasAny(filter, terms.paired))) return false;
    // Values of an operation are in the filter under its name, which is unknown here.
    if (part.outlines.operations[operation]!.name === ANY_NAME) return true;
    return hasAny(filter, part.termsOf(index, operation));
  }

  #mayHoldForAll(terms: TagTerms, index: number): boolean {
    const scopes = this.#part.scopesWith(index);
    if (someId(this.#part.outlines.scopeIds, this.#block, (id) => scopes[id] === 1)) return true;
    const filter = terms.isAny ? undefined : this.#theFilter();
    return filter === undefined || hasAny(filter, terms.alone);
  }

  /** True when a resource of the service in the block has the tag. */
  #resourceHolds(index: number, service: number): boolean {
    const services = this.#part.resourcesWith(index);
    if (services === undefined) return false;
    return someId(this.#part.outlines.resourceIds, this.#block, (id) => services[id] === service);
  }

  #theFilter(): FuseFilter | undefined {
    if (this.#filter === 'unread') this.#filter = this.#readFilter();
    return this.#filter;
  }
}

function someId({ starts, ids }: BlockIds, block: number, holds: (id: number) => boolean): boolean {
  for (let i = starts[block]!; i < starts[block + 1]!; i++) if (holds(ids[i]!)) return true;
  return false;
}
