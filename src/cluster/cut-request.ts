// Cuts an ExportTraceServiceRequest by trace id: one request for each node that gets some of its spans. Spans are copied as bytes
// and never decoded; each slice repeats the resource and scope of its spans. Together the slices hold the same spans, each in
// its order. Pure. The caller has checked the request (otlp/scan-request.ts): fields outside of any span are lost if no
// span is beside them.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WireReader } from '../bytes/wire-reader.ts';

/** The index of the node for the span of `sizeBytes` bytes whose trace id is bytes[start, end); any length, also 0. */
export type NodeOfTrace = (bytes: Uint8Array, start: number, end: number, sizeBytes: number) => number;

/** Field of ResourceSpans with its ScopeSpans, and of ScopeSpans with its spans. */
const CHILDREN = 2;

/** A ScopeSpans in the request, and the ResourceSpans around it. */
interface ScopeRange {
  readonly resourceStart: number;
  readonly resourceEnd: number;
  readonly start: number;
  readonly end: number;
}

/** The slices by node index. A request for a single node is its slice, uncopied; a request without spans has none. */
export function cutRequest(body: Uint8Array, nodeOf: NodeOfTrace): Map<number, Uint8Array> {
  const scopes = scopesOf(body);
  const nodes = nodesOfSpans(body, scopes, nodeOf);
  const used = new Set(nodes);
  if (used.size <= 1) return new Map([...used].map((node) => [node, body]));
  const cutter = new Cutter(body, used);
  cutter.cut(scopes, nodes);
  return cutter.slices();
}

/** The spans of a request. */
export function countSpans(body: Uint8Array): number {
  const scope = new WireReader(body);
  let spans = 0;
  for (const { start, end } of scopesOf(body)) {
    scope.reset(start, end);
    while (scope.next()) if (scope.field === CHILDREN) spans++;
  }
  return spans;
}

function scopesOf(body: Uint8Array): ScopeRange[] {
  const scopes: ScopeRange[] = [];
  const request = new WireReader(body);
  const resource = new WireReader(body);
  while (request.next()) {
    if (request.field !== 1) continue;
    const [resourceStart, resourceEnd] = [request.valueStart, request.valueEnd];
    resource.reset(resourceStart, resourceEnd);
    while (resource.next()) {
      if (resource.field !== CHILDREN) continue;
      scopes.push({ resourceStart, resourceEnd, start: resource.valueStart, end: resource.valueEnd });
    }
  }
  return scopes;
}

/** The node of each span, in the order of the request. */
function nodesOfSpans(body: Uint8Array, scopes: readonly ScopeRange[], nodeOf: NodeOfTrace): number[] {
  const nodes: number[] = [];
  const scope = new WireReader(body);
  const span = new WireReader(body);
  for (const { start, end } of scopes) {
    scope.reset(start, end);
    while (scope.next()) {
      if (scope.field !== CHILDREN) continue;
      const [start, end] = [scope.valueStart, scope.valueEnd];
      span.reset(start, end);
      nodes.push(nodeOfSpan(span, nodeOf, end - start));
    }
  }
  return nodes;
}

function nodeOfSpan(span: WireReader, nodeOf: NodeOfTrace, sizeBytes: number): number {
  while (span.next()) if (span.field === 1) return nodeOf(span.bytes, span.valueStart, span.valueEnd, sizeBytes);
  return nodeOf(span.bytes, 0, 0, sizeBytes);
}

/** A slice being written, and where its open resource and scope begin; -1: not open. */
class Slice {
  readonly out: ByteWriter;
  resourceAt = -1;
  scopeAt = -1;

  constructor(out: ByteWriter) {
    this.out = out;
    // What an earlier request that failed half way had left.
    out.clear();
  }
}

/** Reused by each request: cutting ends in the turn in which it begins. */
const writers: ByteWriter[] = [];
/** Memory of a writer that is kept. */
const WRITER_BYTES_MAX: number = 1 << 20;

class Cutter {
  readonly #body: Uint8Array;
  readonly #slices: Map<number, Slice>;

  constructor(body: Uint8Array, nodes: Iterable<number>) {
    this.#body = body;
    this.#slices = new Map([...nodes].map((node, i) => [node, new Slice((writers[i] ??= new ByteWriter()))]));
  }

  slices(): Map<number, Uint8Array> {
    return new Map([...this.#slices].map(([node, { out }]) => [node, takeFrom(out)]));
  }

  cut(scopes: readonly ScopeRange[], nodes: readonly number[]): void {
    const body = this.#body;
    const reader = new WireReader(body);
    let resourceStart = -1;
    let aroundResource: Ranges = [];
    let at = 0;
    for (const scope of scopes) {
      if (scope.resourceStart !== resourceStart) {
        this.#endResources();
        resourceStart = scope.resourceStart;
        aroundResource = aroundChildren(body, resourceStart, scope.resourceEnd);
      }
      const around = [aroundResource, aroundChildren(body, scope.start, scope.end)] as const;
      reader.reset(scope.start, scope.end);
      while (reader.next()) {
        if (reader.field !== CHILDREN) continue;
        const slice = this.#slices.get(nodes[at++]!)!;
        this.#enter(slice, around);
        slice.out.rawRange(body, reader.fieldStart, reader.pos);
      }
      for (const slice of this.#slices.values()) endScope(slice);
    }
    this.#endResources();
    assert(at === nodes.length, `${at} spans are cut of ${nodes.length}`);
  }

  #endResources(): void {
    for (const slice of this.#slices.values()) endResource(slice);
  }

  /** Opens the current resource and scope, if the slice has no span of them yet. */
  #enter(slice: Slice, [aroundResource, aroundScope]: readonly [Ranges, Ranges]): void {
    const { out } = slice;
    if (slice.resourceAt < 0) {
      out.tag(1, 2);
      slice.resourceAt = out.beginMessage();
      this.#copy(out, aroundResource);
    }
    if (slice.scopeAt >= 0) return;
    out.tag(CHILDREN, 2);
    slice.scopeAt = out.beginMessage();
    this.#copy(out, aroundScope);
  }

  #copy(out: ByteWriter, ranges: Ranges): void {
    for (let i = 0; i < ranges.length; i += 2) out.rawRange(this.#body, ranges[i]!, ranges[i + 1]!);
  }
}

function takeFrom(out: ByteWriter): Uint8Array {
  const taken = out.take();
  out.clear(WRITER_BYTES_MAX);
  return taken;
}

function endScope(slice: Slice): void {
  if (slice.scopeAt >= 0) slice.out.endMessage(slice.scopeAt);
  slice.scopeAt = -1;
}

function endResource(slice: Slice): void {
  if (slice.resourceAt >= 0) slice.out.endMessage(slice.resourceAt);
  slice.resourceAt = -1;
}

/** Starts and ends, in turns. */
type Ranges = readonly number[];

/** The fields of a ResourceSpans or ScopeSpans beside its list, which protobuf allows before, within and after it. */
function aroundChildren(body: Uint8Array, start: number, end: number): Ranges {
  const ranges: number[] = [];
  const fields = new WireReader(body, start, end);
  while (fields.next()) if (fields.field !== CHILDREN) ranges.push(fields.fieldStart, fields.pos);
  return ranges;
}
