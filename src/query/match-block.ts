// Finds the rows of one block whose span meets every condition of a search. It checks the cheapest first: templates and
// dictionaries, which decide for all their rows at once; then the value columns of undecided templates; then the times. If
// no template can match, only the block's dictionaries are read.
import { assert } from '../base/assert.ts';
import type { BlockReader } from '../block/block-reader.ts';
import * as C from '../block/block-columns.ts';
import type { GroupReader } from '../block/group-reader.ts';
import { readStored } from '../block/read-names.ts';
import type { GroupBounds } from '../block/row-group.ts';
import { serviceName } from '../trace/service-name.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import type { Filter } from '../trace/filter.ts';
import * as T from '../trace/templates.ts';
import { operationIds, viewsOf, type BlockView } from './block-view.ts';
import { DescriptorMemo } from './descriptor-memo.ts';
import { BY_ROW, NEVER, setRows, TagMatcher } from './match-tag.ts';
import { compileFilter, matchFilter, type CompiledFilter } from './match-filter.ts';
import type { CompiledTag } from './tag-condition.ts';

/** Times are a block's own: ns since its day's midnight. */
export interface BlockTimes {
  readonly startMin: number;
  readonly startMax: number;
  readonly durationMin: number;
  readonly durationMax: number;
}

/** A trace with a matching span, and the latest start of such a span. */
export interface BlockMatch {
  /** Index of the trace in its group. */
  readonly trace: number;
  readonly start: number;
}

/** What a search wants of the groups of a block. */
export interface GroupVisitor {
  /** Asked before the rows of a group are read: whether a match in it may count. */
  wants(bounds: GroupBounds): boolean;
  /** Takes the matches of a group: at least one. */
  take(group: GroupReader, matches: readonly BlockMatch[]): void;
}

/** What decided: templates alone, the values of rows, or their times. */
export type DecidedBy = 'templates' | 'values' | 'spanTimes';

export interface SpanConditions {
  readonly service: string | undefined;
  readonly operation: string | undefined;
  readonly tags: readonly CompiledTag[];
  readonly filter?: Filter;
  /** Called during long work on one block; may throw to end it. */
  readonly check?: () => void;
}

/** The conditions of one search, applied to block after block; remembers its decisions about resources. */
export class SpanMatcher {
  readonly #services: DescriptorMemo | undefined;
  readonly #operation: Buffer | undefined;
  readonly tags: readonly TagMatcher[];
  readonly filter: CompiledFilter | undefined;

  constructor({ service, operation, tags, filter, check = () => undefined }: SpanConditions) {
    this.#services =
      service === undefined
        ? undefined
        : new DescriptorMemo((resource) => serviceName(parseDescriptor(resource).message) === service);
    this.#operation = operation === undefined ? undefined : Buffer.from(operation, 'utf8');
    this.tags = tags.map((tag) => new TagMatcher(tag));
    this.filter = filter && compileFilter(filter, check);
  }

  /**
   * Finds the traces of `block` with a span that meets all conditions inside `times`, group by group, newest first. Throws
   * CORRUPTION.
   */
  match(block: BlockReader, times: BlockTimes, visitor: GroupVisitor): DecidedBy {
    return readStored(() => {
      const views = viewsOf(block);
      const judge = this.#judge(views[0]!);
      if (judge === undefined) return 'templates';
      let decidedBy: DecidedBy = 'values';
      for (const view of views.sort((x, y) => y.group.bounds.startMax - x.group.bounds.startMax)) {
        const { group } = view;
        if (!visitor.wants(group.bounds)) continue;
        const flags = judge(view);
        if (!flags.includes(1)) continue;
        decidedBy = 'spanTimes';
        const matches = matchTimes(view, flags, times);
        if (matches.length > 0) visitor.take(group, matches);
      }
      return decidedBy;
    });
  }

  /** A flag per row of `block` whose span meets all conditions inside `times`; undefined: none does. Throws CORRUPTION. */
  rows(block: BlockReader, times: BlockTimes): Uint8Array | undefined {
    return readStored(() => {
      const views = viewsOf(block);
      const judge = this.#judge(views[0]!);
      if (judge === undefined) return undefined;
      const all = new Uint8Array(block.header.rowCount);
      let first = 0;
      for (const view of views) {
        const flags = judge(view);
        const { starts, durations } = view.traceColumns();
        for (let row = 0; row < flags.length; row++)
          all[first + row] = flags[row]! & Number(isInside(times, starts[row]!, durations[row]!));
        first += flags.length;
      }
      assert(first === all.length, `the groups of a block of ${all.length} rows have ${first}`);
      return all.includes(1) ? all : undefined;
    });
  }

  /** What flags the rows of a group that meet all conditions but the times; undefined: no row of the block does. */
  #judge(view: BlockView): ((view: BlockView) => Uint8Array) | undefined {
    const alive = this.#templates(view);
    const verdicts = this.tags.map((tag) => tag.verdicts(view));
    for (const verdict of verdicts) {
      assert(
        verdict.length === alive.length,
        `a tag says ${verdict.length} times what it means to ${alive.length} templates`,
      );
      for (let id = 0; id < alive.length; id++) if (verdict[id] === NEVER) alive[id] = 0;
    }
    if (!alive.includes(1)) return undefined;
    return (group) => {
      const flags = this.#rows(group, alive, verdicts);
      if (this.filter === undefined || !flags.includes(1)) return flags;
      const met = matchFilter(group, this.filter);
      assert(met.length === flags.length, `a filter judged ${met.length} of ${flags.length} rows`);
      for (let row = 0; row < flags.length; row++) flags[row] = flags[row]! & met[row]!;
      return flags;
    };
  }

  /** A flag per template with the requested service and operation. */
  #templates(view: BlockView): Uint8Array {
    const services = this.#services;
    const isOperation = this.#operation && operationIds(view, this.#operation);
    /** Only resources of templates with the operation are asked about: to ask means to hash one, and a block has some hundred. */
    const asked = new Map<number, boolean>();
    const isOfService = (resource: number): boolean => {
      if (services === undefined) return true;
      let answer = asked.get(resource);
      if (answer === undefined) {
        const descriptor = view.resources()[resource];
        asked.set(resource, (answer = descriptor !== undefined && services.holds(descriptor)));
      }
      return answer;
    };
    const templates = view.templates(C.SECTION_SPANS);
    const alive = new Uint8Array(templates.count);
    for (let id = 0; id < alive.length; id++) {
      const isNamed = isOperation === undefined || isOperation[templates.head(id, T.SPAN_NAME)] === 1;
      alive[id] = Number(isNamed && isOfService(templates.head(id, T.SPAN_RESOURCE)));
    }
    return alive;
  }

  /** A flag per row that meets all conditions except the times. */
  #rows(view: BlockView, alive: Uint8Array, verdicts: readonly Uint8Array[]): Uint8Array {
    const spans = view.rows(C.SECTION_SPANS);
    const flags = new Uint8Array(spans.rows.length);
    for (let id = 0; id < alive.length; id++) if (alive[id] === 1) setRows(spans, id, flags);
    this.tags.forEach((tag, index) => {
      // Values of excluded templates are not looked up.
      const asked = verdicts[index]!.map((verdict, id) => (alive[id] === 1 ? verdict : NEVER));
      if (!asked.includes(BY_ROW)) return;
      const met = tag.rowFlags(view, asked);
      const { rowTemplates } = spans;
      for (let row = 0; row < flags.length; row++)
        if (asked[rowTemplates[row]!] === BY_ROW) flags[row] = flags[row]! & met[row]!;
    });
    return flags;
  }
}

/** The traces with flagged rows inside `times`. */
function matchTimes(view: BlockView, flags: Uint8Array, times: BlockTimes): BlockMatch[] {
  const { starts, durations, firsts } = view.traceColumns();
  const out: BlockMatch[] = [];
  for (let trace = 0; trace + 1 < firsts.length; trace++) {
    let latest = -1;
    for (let row = firsts[trace]!; row < firsts[trace + 1]!; row++) {
      if (flags[row] === 0) continue;
      const start = starts[row]!;
      if (start > latest && isInside(times, start, durations[row]!)) latest = start;
    }
    if (latest >= 0) out.push({ trace, start: latest });
  }
  return out;
}

function isInside(
  { startMin, startMax, durationMin, durationMax }: BlockTimes,
  start: number,
  duration: number,
): boolean {
  return start >= startMin && start <= startMax && duration >= durationMin && duration <= durationMax;
}
