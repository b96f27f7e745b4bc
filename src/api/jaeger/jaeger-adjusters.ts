// Jaeger's adjusters, which change every answer that is not raw (contract/jaeger.md §1.9), in its order, on the view of one
// trace: shared client/server span ids are made unique, clock skew causes warnings (adjusting itself is off, as by default in
// Jaeger), and library attributes move to the resource. Sorting, IP texts and invalid links need only one span and are done
// when it is written (jaeger-json.ts). The store has already removed identical spans.
import { readAttributes } from '../../trace/attributes.ts';
import type { Attribute } from '../../trace/attributes.ts';
import { formatGoDuration } from '../go/go-duration.ts';
import { isSameValue } from './jaeger-tags.ts';
import { KIND_CLIENT, KIND_SERVER } from '../../trace/span-kinds.ts';
import { ROWS_PER_TURN, SpanIdIndex, TURN, withoutTurns } from './trace-view.ts';
import type { ResourceView, TraceView } from './trace-view.ts';

const LIBRARY_KEYS: ReadonlySet<string> = new Set([
  'telemetry.sdk.language',
  'telemetry.sdk.name',
  'telemetry.sdk.version',
  'telemetry.distro.name',
  'telemetry.distro.version',
]);

/** Adjusts `trace` in place, once; yields TURN on the way if the trace is big. */
export function* adjustInTurns(trace: TraceView): Generator<Buffer, void, undefined> {
  separateServerSpanIds(trace);
  yield* warnOfClockSkew(trace);
  yield* moveLibraryAttributes(trace);
}

/** The same at once. */
export function adjustTrace(trace: TraceView): void {
  withoutTurns(adjustInTurns(trace));
}

/**
 * In Zipkin, a client span and its server span may share an id. The server span gets the smallest unused id, with the client
 * span as its parent; spans whose parent had that id become children of the server span.
 */
function separateServerSpanIds(trace: TraceView): void {
  const clients = new SpanIdIndex(trace);
  for (let row = 0; row < trace.count; row++) if (trace.kind(row) === KIND_CLIENT) clients.add(row);
  const shared: number[] = [];
  for (let row = 0; row < trace.count; row++) {
    if (trace.kind(row) === KIND_SERVER && clients.find(trace.idHigh(row), trace.idLow(row)) >= 0) shared.push(row);
  }
  if (shared.length === 0) return;
  const usedIds = new SpanIdIndex(trace);
  for (let row = 0; row < trace.count; row++) usedIds.add(row);
  const newIds = new Uint32Array(shared.length);
  let last = 0;
  for (let i = 0; i < shared.length; i++) {
    do last++;
    while (usedIds.find(0, last) >= 0);
    newIds[i] = last;
  }
  const newIdOf = new Map<string, number>();
  shared.forEach((row, i) => {
    newIdOf.set(trace.spanId(row), newIds[i]!);
    trace.setParentId(row, trace.idHigh(row), trace.idLow(row));
    trace.setId(row, 0, newIds[i]!);
  });
  for (let row = 0; row < trace.count; row++) {
    const newParent = newIdOf.get(trace.parentId(row));
    if (newParent === undefined || (trace.idHigh(row) === 0 && trace.idLow(row) === newParent)) continue;
    trace.setParentId(row, 0, newParent);
  }
}

/** Walks the tree from its roots: a span passes the skew of its host's clock to its children. */
function* warnOfClockSkew(trace: TraceView): Generator<Buffer, void, undefined> {
  const tree = buildTree(trace);
  const skews = new BigInt64Array(trace.count);
  // An explicit stack: a chain of 100,000 calls must not overflow the call stack.
  const stack = new Int32Array(trace.count);
  let depth = 0;
  for (const root of tree.roots) stack[depth++] = root;
  for (let seen = 1; depth > 0; seen++) {
    const row = stack[--depth]!;
    const skew = skewAt(trace, row, { parent: tree.parent[row]!, skews });
    skews[row] = skew;
    if (skew !== 0n) {
      const delta = formatGoDuration(skew);
      trace.addWarning(row, `clock skew adjustment disabled; not applying calculated delta of ${delta}`);
    }
    for (let child = tree.firstChild[row]!; child >= 0; child = tree.nextSibling[child]!) stack[depth++] = child;
    if (seen % ROWS_PER_TURN === 0) yield TURN;
  }
}

/** Row numbers, -1 for none. A span with the id of an earlier span is in no tree. */
interface SpanTree {
  readonly roots: readonly number[];
  readonly parent: Int32Array;
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
}

/** The spans without a parent in the trace, each with its tree; warns of duplicate ids and of missing parents. */
function buildTree(trace: TraceView): SpanTree {
  const index = new SpanIdIndex(trace);
  const isFirst = Uint8Array.from({ length: trace.count }, (_, row) => (index.add(row) === row ? 1 : 0));
  const roots: number[] = [];
  const parent = new Int32Array(trace.count).fill(-1);
  const firstChild = new Int32Array(trace.count).fill(-1);
  const nextSibling = new Int32Array(trace.count).fill(-1);
  for (let row = 0; row < trace.count; row++) {
    if (isFirst[row] === 0) {
      trace.addWarning(row, 'duplicate span IDs; skipping clock skew adjustment');
      continue;
    }
    const found = trace.hasParent(row) ? index.find(trace.parentHigh(row), trace.parentLow(row)) : -1;
    parent[row] = found;
    if (found >= 0) {
      nextSibling[row] = firstChild[found]!;
      firstChild[found] = row;
      continue;
    }
    roots.push(row);
    if (trace.hasParent(row)) {
      const id = trace.parentId(row);
      trace.addWarning(row, `parent span ID=${id} is not in the trace; skipping clock skew adjustment`);
    }
  }
  return { roots, parent, firstChild, nextSibling };
}

/** The skew of the row's clock in ns: its parent's on the same host, otherwise the shift that makes it fit. */
function skewAt(trace: TraceView, row: number, at: { readonly parent: number; readonly skews: BigInt64Array }): bigint {
  if (at.parent < 0) return 0n;
  const { hostKey } = trace.resource(row);
  if (hostKey !== '' && hostKey === trace.resource(at.parent).hostKey) return at.skews[at.parent]!;
  return skewOf(trace, row, at.parent);
}

/** The shift that makes `child` fit into `parent`, which ran on another clock or on an unknown one; ns. */
function skewOf(trace: TraceView, child: number, parent: number): bigint {
  const parentStart = trace.startNs(parent);
  const parentEnd = trace.endNs(parent);
  const start = trace.startNs(child);
  const end = trace.endNs(child);
  if (end - start > parentEnd - parentStart) return start < parentStart ? parentStart - start : 0n;
  if (start >= parentStart && end <= parentEnd) return 0n;
  // Assumes that request and answer took equally long on the network.
  return parentStart + (parentEnd - parentStart - (end - start)) / 2n - start;
}

function* moveLibraryAttributes(trace: TraceView): Generator<Buffer, void, undefined> {
  let seen = 0;
  for (let row = 0; row < trace.count; row++) {
    if (!trace.mayHoldLibraryKey(row)) continue;
    const found = readAttributes(trace.bytes, trace.startOf(row), trace.endOf(row), 9);
    for (const attribute of found) if (LIBRARY_KEYS.has(attribute.key)) moveAttribute(trace, row, attribute);
    if (++seen % ROWS_PER_TURN === 0) yield TURN;
  }
}

function moveAttribute(trace: TraceView, row: number, attribute: Attribute): void {
  const resource = trace.resource(row);
  const existing = findAttribute(resource, attribute.key);
  if (existing !== undefined && !isSameValue(trace.bytes, existing, attribute)) {
    trace.addWarning(row, `conflicting values between Span and Resource for attribute ${attribute.key}`);
    return;
  }
  if (existing === undefined) resource.moved.push(attribute);
  trace.moveKey(row, attribute.key);
}

function findAttribute(resource: ResourceView, key: string): Attribute | undefined {
  return (
    resource.attributes.find((attribute) => attribute.key === key) ??
    resource.moved.find((attribute) => attribute.key === key)
  );
}
