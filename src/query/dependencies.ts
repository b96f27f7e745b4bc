// Calls between services, counted from the spans themselves: for every child span in the window whose parent is in its
// trace, one call parent service → child service. Exact across blocks, parts and days: a trace lying in one block is
// counted there, one lying in several is put together first. A span stored in several versions (same id, parent and
// times) counts once, and same-service pairs do not count (contract/jaeger.md §7.2, §7.3).
import { BlockReader, TextArena } from '../block/block-reader.ts';
import * as C from '../block/block-columns.ts';
import { readTexts } from '../block/read-names.ts';
import { SectionReader } from '../block/read-section.ts';
import { readTraceColumns } from '../block/read-traces.ts';
import { DAY_NS } from '../otlp/day-clock.ts';
import { serviceName } from '../otlp/service-name.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import type { Dependency } from '../trace/store.ts';
import * as T from '../trace/templates.ts';
import type { BlockSource, CandidateBlock } from './block-source.ts';
import type { Deadline } from './deadline.ts';
import { idKey } from './find-traces.ts';

/** What a call needs to know of a span. Ids as text: latin1 of their bytes. */
interface CallSpan {
  readonly id: string;
  readonly parent: string;
  readonly service: string;
  /** Distinguishes versions of a span: times, as text. */
  readonly version: string;
  readonly isInWindow: boolean;
}

/** Links of spans starting in [startNs, endNs], sorted by (parent, child). */
export function listDependencies(
  source: BlockSource,
  startNs: bigint,
  endNs: bigint,
  deadline: Deadline,
): Dependency[] {
  const blocks = source.blocks();
  const isAsked = blocks
    .map((block) => timesOf(block, startNs, endNs))
    .map(([min, max], i) => blocks[i]!.startMax >= min && blocks[i]!.startMin <= max);
  const homes = traceHomes(blocks, deadline);
  const calls = new Map<string, Map<string, number>>();
  const split = new Map<string, CallSpan[]>();
  const wanted = new Set<string>();
  blocks.forEach((block, index) => {
    if (!isAsked[index]) return;
    readSpans(block, timesOf(block, startNs, endNs), deadline, (trace, spans) => {
      if (homes.get(trace) === index) countCalls(calls, spans);
      else wanted.add(trace);
    });
  });
  if (wanted.size > 0) {
    for (const block of blocks) {
      readSpans(block, timesOf(block, startNs, endNs), deadline, (trace, spans) => {
        if (wanted.has(trace)) split.set(trace, [...(split.get(trace) ?? []), ...spans]);
      });
    }
    for (const spans of split.values()) countCalls(calls, spans);
  }
  return sorted(calls);
}

const MANY_HOMES = -1;

/** The block each trace lies in, or MANY_HOMES. */
function traceHomes(blocks: readonly CandidateBlock[], deadline: Deadline): Map<string, number> {
  const homes = new Map<string, number>();
  blocks.forEach((candidate, index) => {
    deadline.check();
    const bytes = candidate.read();
    if (bytes === undefined) return;
    const ids = new BlockReader(bytes).traceIds();
    for (let at = 0; at < ids.length; at += 16) {
      const key = idKey(ids.subarray(at, at + 16));
      const home = homes.get(key);
      if (home === undefined) homes.set(key, index);
      else if (home !== index) homes.set(key, MANY_HOMES);
    }
  });
  return homes;
}

/** The window on the block's day, in ns since its midnight. */
function timesOf(block: CandidateBlock, startNs: bigint, endNs: bigint): readonly [number, number] {
  const midnight = BigInt(block.day) * BigInt(DAY_NS);
  return [Number(startNs - midnight), Number(endNs - midnight)];
}

function readSpans(
  candidate: CandidateBlock,
  window: readonly [number, number],
  deadline: Deadline,
  visit: (trace: string, spans: CallSpan[]) => void,
): void {
  deadline.check();
  const bytes = candidate.read();
  if (bytes === undefined) return;
  const block = new BlockReader(bytes);
  const rows = new SectionReader(block, C.SECTION_SPANS);
  const services = readTexts(block, C.COLUMN_RESOURCES, new TextArena()).map((text) =>
    serviceName(parseDescriptor(text).message),
  );
  const { firsts, parents, starts, durations } = readTraceColumns(block, rows);
  const traceIds = block.traceIds();
  const spanIds = idTexts(block.fixed(C.COLUMN_SPAN_IDS, 8));
  const orphans = idTexts(block.fixed(C.COLUMN_ORPHAN_PARENTS, 8));
  let orphan = 0;
  for (let trace = 0; trace + 1 < firsts.length; trace++) {
    const spans: CallSpan[] = [];
    for (let row = firsts[trace]!; row < firsts[trace + 1]!; row++) {
      const parent = parents[row]!;
      spans.push({
        id: spanIds[row]!,
        parent: parent >= 0 ? spanIds[parent]! : parent === -2 ? orphans[orphan++]! : '',
        service: services[rows.templates[rows.rowTemplates[row]!]!.head[T.SPAN_RESOURCE]!]!,
        version: `${block.header.day},${starts[row]},${durations[row]}`,
        isInWindow: starts[row]! >= window[0] && starts[row]! <= window[1],
      });
    }
    visit(idKey(traceIds.subarray(trace * 16, trace * 16 + 16)), spans);
  }
}

function idTexts(ids: Uint8Array): string[] {
  const text = Buffer.from(ids.buffer, ids.byteOffset, ids.length).toString('latin1');
  return Array.from({ length: ids.length / 8 }, (_, i) => text.slice(i * 8, i * 8 + 8));
}

function countCalls(calls: Map<string, Map<string, number>>, spans: readonly CallSpan[]): void {
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
    let callees = calls.get(caller);
    if (callees === undefined) calls.set(caller, (callees = new Map()));
    callees.set(service, (callees.get(service) ?? 0) + 1);
  }
}

function sorted(calls: Map<string, Map<string, number>>): Dependency[] {
  const out: Dependency[] = [];
  for (const [parent, callees] of calls)
    for (const [child, callCount] of callees) out.push({ parent, child, callCount });
  const compare = (x: string, y: string): number => Buffer.compare(Buffer.from(x), Buffer.from(y));
  return out.sort((x, y) => compare(x.parent, y.parent) || compare(x.child, y.child));
}
