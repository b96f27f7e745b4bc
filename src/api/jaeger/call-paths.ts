// Paths of calls through traces, for Jaeger UI's page "Deep Dependency Graph" (contract/jaeger.md §2.7): for every span without
// children, the chain of its callers, one entry per service or server span, as the UI computes them from traces it has loaded.
// Equal paths of several traces are merged and name their traces. Pure.
import { quoteJson } from '../../bytes/json-writer.ts';
import { operationName } from '../../trace/service-name.ts';
import type { FoundTrace } from '../../trace/store.ts';
import { adjustInTurns } from './jaeger-adjusters.ts';
import { lastRange, readTraceInTurns } from './jaeger-model.ts';
import { KIND_SERVER } from '../../trace/span-kinds.ts';
import { ROWS_PER_TURN, TURN, type SpanView, type TraceView } from './trace-view.ts';

/** Every shown path must pass through it. */
export interface FocalPoint {
  readonly service: string;
  /** "" = any. */
  readonly operation: string;
}

/** Traces named per path: the page links to a few. */
const EXEMPLARS_MAX = 20;
/** Entries of all paths together, some 100 bytes each: no screen can show a larger graph. Later paths are left out. */
const ENTRIES_MAX = 50_000;

/** A path's last entry; its callers are reached through `caller`. */
interface PathNode {
  readonly service: string;
  readonly operation: string;
  readonly caller: PathNode | undefined;
  readonly depth: number;
  /** By service and operation, as JSON text. */
  readonly callees: Map<string, PathNode>;
  /** This entry or one of its callers is the focal point. */
  readonly isFocal: boolean;
  /** Traces in which a path ended here. */
  readonly exemplars: Set<string>;
}

/**
 * `{"dependencies":[{"path":[…],"attributes":[…]}]}` of the paths through `focal`, in the order found, as one chunk after
 * TURNs, because it reads hundreds of traces.
 */
export function* callPathsToJson(traces: Iterable<FoundTrace>, focal: FocalPoint): Generator<Buffer, void, undefined> {
  const roots = new Map<string, PathNode>();
  const ends = new Set<PathNode>();
  for (const { otlp } of traces) {
    yield TURN;
    const view = yield* readTraceInTurns(otlp);
    if (view === undefined) continue;
    yield* adjustInTurns(view);
    yield* walk(view, { roots, ends, focal });
  }
  const paths: string[] = [];
  let entries = 0;
  for (const end of ends) {
    entries += end.depth;
    if (entries > ENTRIES_MAX) break;
    paths.push(pathJson(end));
  }
  yield Buffer.from(`{"dependencies":[${paths.join(',')}]}`);
}

interface Paths {
  readonly roots: Map<string, PathNode>;
  readonly ends: Set<PathNode>;
  readonly focal: FocalPoint;
}

function* walk(view: TraceView, { roots, ends, focal }: Paths): Generator<Buffer, void, undefined> {
  const children = childrenOf([...view.spans()]);
  const stack = (children.get('') ?? []).map((span) => ({ span, caller: undefined as PathNode | undefined }));
  // An explicit stack: a chain of 100,000 calls must not overflow the call stack.
  let seen = 0;
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if (++seen % ROWS_PER_TURN === 0) yield TURN;
    const { span, caller } = step;
    const node = entryOf({ view, span, caller }, roots, focal);
    const callees = children.get(span.spanId);
    children.delete(span.spanId); // spans with a doubled id share their children: they are walked once
    if (callees !== undefined) {
      for (const callee of callees) stack.push({ span: callee, caller: node });
    } else if (node.isFocal) {
      ends.add(node);
      if (node.exemplars.size < EXEMPLARS_MAX) node.exemplars.add(view.traceId);
    }
  }
}

/** By parent's id; '' for spans without a parent in the trace. */
function childrenOf(spans: readonly SpanView[]): Map<string, SpanView[]> {
  const ids = new Set(spans.map((span) => span.spanId));
  const children = new Map<string, SpanView[]>();
  for (const span of spans) {
    const parent = ids.has(span.parentId) ? span.parentId : '';
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [span]);
    else siblings.push(span);
  }
  return children;
}

interface Step {
  readonly view: TraceView;
  readonly span: SpanView;
  readonly caller: PathNode | undefined;
}

/** The entry of a span: its caller's entry, unless it is of another service or a server span. */
function entryOf({ view, span, caller }: Step, roots: Map<string, PathNode>, focal: FocalPoint): PathNode {
  const { service } = span.resource;
  if (caller !== undefined && caller.service === service && span.kind !== KIND_SERVER) return caller;
  const [start, end] = lastRange(view.bytes, span.start, span.end, 5);
  const operation = operationName(Buffer.from(view.bytes.subarray(start, end)).toString('utf8'));
  const siblings = caller?.callees ?? roots;
  const key = JSON.stringify([service, operation]);
  let node = siblings.get(key);
  if (node !== undefined) return node;
  const isHere = service === focal.service && (focal.operation === '' || operation === focal.operation);
  node = {
    service,
    operation,
    caller,
    depth: (caller?.depth ?? 0) + 1,
    callees: new Map(),
    isFocal: isHere || caller?.isFocal === true,
    exemplars: new Set(),
  };
  siblings.set(key, node);
  return node;
}

function pathJson(end: PathNode): string {
  const entries: string[] = [];
  for (let node: PathNode | undefined = end; node !== undefined; node = node.caller) {
    entries.push(`{"service":${quoteJson(node.service)},"operation":${quoteJson(node.operation)}}`);
  }
  const attributes = [...end.exemplars].map((id) => `{"key":"exemplar_trace_id","value":"${id}"}`);
  return `{"path":[${entries.toReversed().join(',')}],"attributes":[${attributes.join(',')}]}`;
}
