// What Jaeger does to every answer that is not raw (contract/jaeger.md §1.9), in its order, on the view of one trace:
// shared client/server span ids are made unique, clock skew is warned of (adjusting itself is off, Jaeger's default), and
// library attributes move to the resource. Sorting, IP texts and invalid links need only one span at a time and are done
// where it is written (jaeger-json.ts). Identical spans were already removed by the store.
import { readAttributes } from '../otlp/attributes.ts';
import type { Attribute } from '../otlp/attributes.ts';
import { formatGoDuration } from './go-duration.ts';
import { addWarning, KIND_CLIENT, KIND_SERVER } from './jaeger-model.ts';
import type { ResourceView, SpanView, TraceView } from './jaeger-model.ts';
import { isSameValue } from './jaeger-tags.ts';

const LIBRARY_KEYS: ReadonlySet<string> = new Set([
  'telemetry.sdk.language',
  'telemetry.sdk.name',
  'telemetry.sdk.version',
  'telemetry.distro.name',
  'telemetry.distro.version',
]);

/** Adjusts `trace` in place. */
export function adjustTrace(trace: TraceView): void {
  separateServerSpanIds(trace.spans);
  warnOfClockSkew(trace.spans);
  moveLibraryAttributes(trace);
}

/**
 * Zipkin lets a client span and its server span share an id. The server span gets the smallest unused id and the client
 * span as its parent; spans whose parent had that id become children of the server span.
 */
function separateServerSpanIds(spans: readonly SpanView[]): void {
  const clientIds = new Set<string>();
  for (const span of spans) if (span.kind === KIND_CLIENT) clientIds.add(span.spanId);
  const shared = spans.filter((span) => span.kind === KIND_SERVER && clientIds.has(span.spanId));
  if (shared.length === 0) return;
  const usedIds = new Set(spans.map((span) => span.spanId));
  const newIds = new Map<string, string>();
  let last = 0;
  for (const span of shared) {
    do last++;
    while (usedIds.has(spanIdText(last)));
    newIds.set(span.spanId, spanIdText(last));
    span.parentId = span.spanId;
    span.spanId = spanIdText(last);
  }
  for (const span of spans) {
    const newParent = newIds.get(span.parentId);
    if (newParent !== undefined && newParent !== span.spanId) span.parentId = newParent;
  }
}

function spanIdText(value: number): string {
  return value.toString(16).padStart(16, '0');
}

interface Node {
  readonly span: SpanView;
  readonly children: Node[];
}

interface Step {
  readonly node: Node;
  readonly parent: SpanView | undefined;
  /** The skew handed down by the parent: of the clock of `hostKey`. */
  readonly hostKey: string;
  readonly deltaNs: bigint;
}

function warnOfClockSkew(spans: readonly SpanView[]): void {
  const steps = rootsOf(spans).map((node): Step => ({
    node,
    parent: undefined,
    hostKey: node.span.resource.hostKey,
    deltaNs: 0n,
  }));
  // A stack of our own: a chain of 100,000 calls must not end in a stack overflow.
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const { node, parent } = step;
    const { hostKey } = node.span.resource;
    let { deltaNs } = step;
    if (parent !== undefined && (hostKey !== step.hostKey || hostKey === '')) deltaNs = skewOf(node.span, parent);
    if (deltaNs !== 0n)
      addWarning(
        node.span,
        `clock skew adjustment disabled; not applying calculated delta of ${formatGoDuration(deltaNs)}`,
      );
    for (const child of node.children) steps.push({ node: child, parent: node.span, hostKey, deltaNs });
  }
}

/** The spans without a parent in the trace, each with its tree; warns of doubled ids and of missing parents. */
function rootsOf(spans: readonly SpanView[]): Node[] {
  const nodes = new Map<string, Node>();
  for (const span of spans) {
    if (nodes.has(span.spanId)) addWarning(span, 'duplicate span IDs; skipping clock skew adjustment');
    else nodes.set(span.spanId, { span, children: [] });
  }
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const { span } = node;
    const parent = nodes.get(span.parentId);
    if (parent !== undefined) parent.children.push(node);
    else roots.push(node);
    if (parent === undefined && span.parentId !== '') {
      addWarning(span, `parent span ID=${span.parentId} is not in the trace; skipping clock skew adjustment`);
    }
  }
  return roots;
}

/** How far `child` would have to move to fit into `parent`, which ran on another clock or on an unknown one; ns. */
function skewOf(child: SpanView, parent: SpanView): bigint {
  const parentNs = parent.endNs - parent.startNs;
  const childNs = child.endNs - child.startNs;
  if (childNs > parentNs) return child.startNs < parent.startNs ? parent.startNs - child.startNs : 0n;
  if (child.startNs >= parent.startNs && child.endNs <= parent.endNs) return 0n;
  // The network took as long to bring the request as to bring the answer.
  return parent.startNs + (parentNs - childNs) / 2n - child.startNs;
}

function moveLibraryAttributes(trace: TraceView): void {
  for (const span of trace.spans) {
    if (!span.mayHoldLibraryKey) continue;
    const found = readAttributes(trace.bytes, span.start, span.end, 9).filter(({ key }) => LIBRARY_KEYS.has(key));
    for (const attribute of found) moveAttribute(trace.bytes, span, attribute);
  }
}

function moveAttribute(bytes: Uint8Array, span: SpanView, attribute: Attribute): void {
  const existing = findAttribute(span.resource, attribute.key);
  if (existing !== undefined && !isSameValue(bytes, existing, attribute)) {
    addWarning(span, `conflicting values between Span and Resource for attribute ${attribute.key}`);
    return;
  }
  if (existing === undefined) span.resource.moved.push(attribute);
  (span.movedKeys ??= new Set()).add(attribute.key);
}

function findAttribute(resource: ResourceView, key: string): Attribute | undefined {
  return (
    resource.attributes.find((attribute) => attribute.key === key) ??
    resource.moved.find((attribute) => attribute.key === key)
  );
}
