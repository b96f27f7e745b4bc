// Calls between services, counted from the spans themselves: for every child span in the window whose parent is in its
// trace, one call parent service → child service. Exact across blocks, parts and days: a trace lying in one block is
// counted there, one lying in several is put together first. A span stored in several versions (same id, parent and
// times) counts once, and same-service pairs do not count (contract/jaeger.md §7.2, §7.3).
import { BlockReader, TextArena } from '../block/block-reader.ts';
import * as C from '../block/block-columns.ts';
import { readTexts } from '../block/read-names.ts';
import { SectionReader } from '../block/read-section.ts';
import { readTraceColumns, type TraceColumns } from '../block/read-traces.ts';
import { compareUtf8 } from '../otlp/attributes.ts';
import { DAY_NS } from '../otlp/day-clock.ts';
import { serviceName } from '../otlp/service-name.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import { traceKeyHigh, traceKeyLow } from '../part/trace-key.ts';
import type { Dependency } from '../trace/store.ts';
import * as T from '../trace/templates.ts';
import type { BlockSource, CandidateBlock } from './block-source.ts';
import type { Deadline } from './deadline.ts';
import { idKey } from './find-traces.ts';

/** What a call needs to know of a span of a trace that lies in several blocks. Ids as text: latin1 of their bytes. */
interface CallSpan {
  readonly id: string;
  readonly parent: string;
  readonly service: string;
  /** Distinguishes versions of a span: times, as text. */
  readonly version: string;
  readonly isInWindow: boolean;
}

/** Calls by caller, then callee. */
type Calls = Map<string, Map<string, number>>;

/** Links of spans starting in [startNs, endNs], sorted by (parent, child). */
export function listDependencies(
  source: BlockSource,
  startNs: bigint,
  endNs: bigint,
  deadline: Deadline,
): Dependency[] {
  const blocks = source.blocks();
  const windows = blocks.map((block) => timesOf(block, startNs, endNs));
  const homes = traceHomes(blocks, deadline);
  const calls: Calls = new Map();
  const split = new Map<string, CallSpan[]>();
  blocks.forEach((candidate, index) => {
    const [min, max] = windows[index]!;
    if (candidate.startMax < min || candidate.startMin > max) return;
    const block = openBlock(candidate, windows[index]!, deadline);
    if (block === undefined) return;
    for (let trace = 0; trace < block.traceCount; trace++) {
      if (homes.get(block.homeKey(trace)) === index && block.countCalls(trace, calls)) continue;
      split.set(block.traceKey(trace), []);
    }
  });
  if (split.size > 0) gatherSplit(blocks, windows, { split, homes, deadline });
  for (const spans of split.values()) countCalls(calls, spans);
  return sorted(calls);
}

const MANY_HOMES = -1;

/**
 * The block each trace lies in, or MANY_HOMES, by the first 52 bits of a hash of its id. Two traces that share them look
 * like one in many blocks and take the slow way: slower, not wrong.
 */
function traceHomes(blocks: readonly CandidateBlock[], deadline: Deadline): Map<number, number> {
  const homes = new Map<number, number>();
  blocks.forEach((candidate, index) => {
    deadline.check();
    const bytes = candidate.read();
    if (bytes === undefined) return;
    const ids = new BlockReader(bytes).traceIds();
    for (let at = 0; at < ids.length; at += 16) {
      const key = homeKey(ids, at);
      const home = homes.get(key);
      if (home === undefined) homes.set(key, index);
      else if (home !== index) homes.set(key, MANY_HOMES);
    }
  });
  return homes;
}

function homeKey(ids: Uint8Array, at: number): number {
  return (
    traceKeyHigh(ids, at) * 2 ** 20 +
    (traceKeyLow(ids, at) & 0xff) * 2 ** 12 +
    ids[at + 15]! * 16 +
    (ids[at + 14]! & 15)
  );
}

/** Puts the spans of the traces in `split` together from every block. */
function gatherSplit(
  blocks: readonly CandidateBlock[],
  windows: readonly (readonly [number, number])[],
  context: { split: Map<string, CallSpan[]>; homes: Map<number, number>; deadline: Deadline },
): void {
  blocks.forEach((candidate, index) => {
    const block = openBlock(candidate, windows[index]!, context.deadline);
    if (block === undefined) return;
    for (let trace = 0; trace < block.traceCount; trace++) {
      const home = context.homes.get(block.homeKey(trace))!;
      if (home !== MANY_HOMES && home !== index) continue;
      context.split.get(block.traceKey(trace))?.push(...block.spans(trace));
    }
  });
}

/** The window on the block's day, in ns since its midnight. */
function timesOf(block: CandidateBlock, startNs: bigint, endNs: bigint): readonly [number, number] {
  const midnight = BigInt(block.day) * BigInt(DAY_NS);
  return [Number(startNs - midnight), Number(endNs - midnight)];
}

function openBlock(
  candidate: CandidateBlock,
  window: readonly [number, number],
  deadline: Deadline,
): CallBlock | undefined {
  deadline.check();
  const bytes = candidate.read();
  return bytes === undefined ? undefined : new CallBlock(new BlockReader(bytes), window);
}

/** One block as calls see it. */
class CallBlock {
  readonly traceCount: number;
  readonly #block: BlockReader;
  readonly #window: readonly [number, number];
  readonly #columns: TraceColumns;
  readonly #traceIds: Uint8Array;
  readonly #spanIds: Uint8Array;
  readonly #orphans: Uint8Array;
  /** Services by block-local number, and the number of each row's. */
  readonly #services: string[];
  readonly #serviceOf: Int32Array;
  #ranks: Uint32Array | undefined;

  constructor(block: BlockReader, window: readonly [number, number]) {
    this.#block = block;
    this.#window = window;
    this.traceCount = block.header.traceCount;
    const rows = new SectionReader(block, C.SECTION_SPANS);
    this.#columns = readTraceColumns(block, rows);
    this.#traceIds = block.traceIds();
    this.#spanIds = block.fixed(C.COLUMN_SPAN_IDS, 8);
    this.#orphans = block.fixed(C.COLUMN_ORPHAN_PARENTS, 8);
    const names = readTexts(block, C.COLUMN_RESOURCES, new TextArena()).map((text) =>
      serviceName(parseDescriptor(text).message),
    );
    this.#services = [...new Set(names)];
    const numbers = names.map((name) => this.#services.indexOf(name));
    const byTemplate = rows.templates.map(({ head }) => numbers[head[T.SPAN_RESOURCE]!]!);
    this.#serviceOf = Int32Array.from(rows.rowTemplates, (template) => byTemplate[template]!);
  }

  homeKey(trace: number): number {
    return homeKey(this.#traceIds, trace * 16);
  }

  traceKey(trace: number): string {
    return idKey(this.#traceIds.subarray(trace * 16, trace * 16 + 16));
  }

  /** Counts the calls of a trace that lies wholly here. False when a span id occurs twice in it: nothing is counted then. */
  countCalls(trace: number, calls: Calls): boolean {
    const { firsts, parents, starts } = this.#columns;
    const first = firsts[trace]!;
    const end = firsts[trace + 1]!;
    if (this.#hasDoubles(first, end)) return false;
    const [min, max] = this.#window;
    for (let row = first; row < end; row++) {
      const parent = parents[row]!;
      if (parent < 0 || starts[row]! < min || starts[row]! > max) continue;
      const caller = this.#serviceOf[parent]!;
      const callee = this.#serviceOf[row]!;
      if (caller !== callee) addCall(calls, this.#services[caller]!, this.#services[callee]!);
    }
    return true;
  }

  /** By the first four bytes of the ids: two that share them only send their trace the slow way. */
  #hasDoubles(first: number, end: number): boolean {
    const ids = this.#spanIds;
    const words = new Int32Array(end - first);
    for (let row = first; row < end; row++) {
      const at = row * 8;
      words[row - first] = ids[at]! | (ids[at + 1]! << 8) | (ids[at + 2]! << 16) | (ids[at + 3]! << 24);
    }
    words.sort();
    for (let i = 1; i < words.length; i++) if (words[i] === words[i - 1]) return true;
    return false;
  }

  /** The spans of a trace, or of the piece of it that lies here. */
  spans(trace: number): CallSpan[] {
    const { firsts, parents, starts, durations } = this.#columns;
    const spans: CallSpan[] = [];
    for (let row = firsts[trace]!; row < firsts[trace + 1]!; row++) {
      spans.push({
        id: idText(this.#spanIds, row),
        parent: this.#parentText(row, parents[row]!),
        service: this.#services[this.#serviceOf[row]!]!,
        version: `${this.#block.header.day},${starts[row]},${durations[row]}`,
        isInWindow: starts[row]! >= this.#window[0] && starts[row]! <= this.#window[1],
      });
    }
    return spans;
  }

  #parentText(row: number, parent: number): string {
    if (parent >= 0) return idText(this.#spanIds, parent);
    return parent === -2 ? idText(this.#orphans, this.#orphanRank(row)) : '';
  }

  /** Orphans before `row`: their ids are in row order. Ranks are summed once, at the first orphan asked for. */
  #orphanRank(row: number): number {
    this.#ranks ??= rankOrphans(this.#columns.parents);
    return this.#ranks[row]!;
  }
}

function rankOrphans(parents: Int32Array): Uint32Array {
  const ranks = new Uint32Array(parents.length);
  let orphans = 0;
  for (let row = 0; row < parents.length; row++) if (parents[row] === -2) ranks[row] = orphans++;
  return ranks;
}

function idText(ids: Uint8Array, index: number): string {
  return Buffer.from(ids.buffer, ids.byteOffset + index * 8, 8).toString('latin1');
}

function addCall(calls: Calls, caller: string, callee: string): void {
  let callees = calls.get(caller);
  if (callees === undefined) calls.set(caller, (callees = new Map()));
  callees.set(callee, (callees.get(callee) ?? 0) + 1);
}

function countCalls(calls: Calls, spans: readonly CallSpan[]): void {
  const serviceOf = new Map<string, string>();
  for (const { id, service } of spans) {
    // Two spans of one id in two services (client and server sharing an id, Zipkin style): the smaller name, so that
    // the answer does not depend on where they lie.
    const known = serviceOf.get(id);
    if (known === undefined || service < known) serviceOf.set(id, service);
  }
  const seen = new Set<string>();
  for (const { id, parent, service, version, isInWindow } of spans) {
    const caller = parent === '' ? undefined : serviceOf.get(parent);
    if (!isInWindow || caller === undefined || caller === service) continue;
    const key = `${id}${parent}${service}${version}`;
    if (seen.has(key)) continue;
    seen.add(key);
    addCall(calls, caller, service);
  }
}

function sorted(calls: Calls): Dependency[] {
  const out: Dependency[] = [];
  for (const [parent, callees] of calls)
    for (const [child, callCount] of callees) out.push({ parent, child, callCount });
  return out.sort((x, y) => compareUtf8(x.parent, y.parent) || compareUtf8(x.child, y.child));
}
