// Which blocks a search need not open, by what its part knows of them: outlines (operations, resources, scopes, longest
// spans) and filters. A block stays in question while some operation in it may have a span that meets every condition.
import { operationKey } from '../block/terms.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import { serviceName } from '../otlp/service-name.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import { durationStep, type BlockIds, type PartOutlines } from '../part/outlines.ts';
import type { SpanConditions } from './match-block.ts';
import type { TagMatcher } from './match-tag.ts';
import { hasAny, TagTerms, type Hashes } from './query-terms.ts';

/** What a block was left out for. */
export type PrunedBy = 'operation' | 'duration' | 'tags';

/** A block as its part knows it. */
export interface OutlinedBlock {
  readonly outlines: PartOutlines;
  /** Its number in the part. */
  readonly block: number;
}

interface AskedTag {
  readonly matcher: TagMatcher;
  readonly terms: TagTerms;
}

const UNKNOWN = 0;
const NO = 1;
const YES = 2;

export class BlockPruner {
  readonly #conditions: Pick<SpanConditions, 'service' | 'operation'>;
  readonly #tags: readonly AskedTag[];
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
  /** By tag, then by operation. */
  readonly #terms: (Hashes | undefined)[][];

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
    this.#terms = Array.from({ length: tags }, () => []);
  }

  termsOf({ terms }: AskedTag, index: number, operation: number): Hashes {
    const { service, name } = this.outlines.operations[operation]!;
    return (this.#terms[index]![operation] ??= terms.of(operationKey(service, name)));
  }

  /** Number of the resource's service. */
  serviceOfResource(resource: number): number {
    const known = this.#resourceServices[resource]!;
    if (known >= 0) return known;
    const name = serviceName(parseDescriptor(this.outlines.resources[resource]!).message);
    return (this.#resourceServices[resource] = this.services.indexOf(name));
  }
}

/** What is found out about one block, by tag. */
class BlockAnswers {
  readonly #part: PartAnswers;
  readonly #block: number;
  readonly #readFilter: () => FuseFilter | undefined;
  #filter: FuseFilter | 'unread' | undefined = 'unread';
  /** Whether the tag may hold for all operations of the block, by what is not theirs alone. */
  readonly #ofAll: (boolean | undefined)[] = [];
  readonly #isPaired: (boolean | undefined)[] = [];

  constructor(part: PartAnswers, block: number, readFilter: () => FuseFilter | undefined) {
    this.#part = part;
    this.#block = block;
    this.#readFilter = readFilter;
  }

  /** True unless no span of `operation` in the block can meet tag number `index`. */
  mayHold(tag: AskedTag, index: number, operation: number): boolean {
    const { outlines, byOperation, serviceOf } = this.#part;
    const isMet = remembered(byOperation[index]!, operation, () => {
      const { kind, status } = outlines.operations[operation]!;
      return tag.matcher.operationHolds(kind, status);
    });
    if (isMet || (this.#ofAll[index] ??= this.#mayHoldForAll(tag, index))) return true;
    if (this.#resourceHolds(tag, index, serviceOf[operation]!)) return true;
    const filter = this.#theFilter()!;
    if (!(this.#isPaired[index] ??= hasAny(filter, tag.terms.paired))) return false;
    return hasAny(filter, this.#part.termsOf(tag, index, operation));
  }

  #mayHoldForAll({ matcher, terms }: AskedTag, index: number): boolean {
    const { outlines, byScope } = this.#part;
    const scopeHolds = (id: number): boolean =>
      remembered(byScope[index]!, id, () => matcher.scopeHolds(outlines.scopes[id]!));
    if (someId(outlines.scopeIds, this.#block, scopeHolds)) return true;
    const filter = terms.isAny ? undefined : this.#theFilter();
    return filter === undefined || hasAny(filter, terms.alone);
  }

  /** True when a resource of the service in the block has the tag. */
  #resourceHolds({ matcher }: AskedTag, index: number, service: number): boolean {
    const { outlines, byResource } = this.#part;
    return someId(
      outlines.resourceIds,
      this.#block,
      (id) =>
        remembered(byResource[index]!, id, () => matcher.resourceHolds(outlines.resources[id]!)) &&
        this.#part.serviceOfResource(id) === service,
    );
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

function remembered(answers: Uint8Array, id: number, decide: () => boolean): boolean {
  if (answers[id] === UNKNOWN) answers[id] = decide() ? YES : NO;
  return answers[id] === YES;
}
