// Splits one trace into several TracesData messages, each small enough for a gRPC client with default limits (contract/jaeger.md
// §5.3). Works on the wire format: spans are copied as bytes and never decoded; every message repeats the resource and scope of
// its spans. Concatenated, the messages are the same trace.
import { assert } from '../../base/assert.ts';
import { WireReader, WIRE_BYTES } from '../../bytes/wire-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';

/** A message stays below this unless one span alone is larger; gRPC clients take 4 MiB by default. */
const MESSAGE_BYTES_MAX = 3 << 20;
/** Spans of one message: a receiver decodes them all at once. */
const MESSAGE_SPANS_MAX = 2_000;
/** Tags and lengths of the two groups around a span. */
const GROUP_OVERHEAD_BYTES = 24;

export interface SplitLimits {
  readonly bytesMax: number;
  readonly spansMax: number;
}

const LIMITS: SplitLimits = { bytesMax: MESSAGE_BYTES_MAX, spansMax: MESSAGE_SPANS_MAX };

/** A ResourceSpans or ScopeSpans without its list: the fields around the list, which every message repeats. */
interface Group {
  readonly around: Uint8Array;
}

/** Spans [start, end) of the trace's bytes, which are adjacent in one ScopeSpans. */
interface Run {
  readonly resource: Group;
  readonly scope: Group;
  readonly start: number;
  end: number;
}

/** Splits `otlp`, the TracesData of one trace, into messages of whole spans, in order; none for a trace without spans. */
export function* splitTrace(otlp: Uint8Array, limits: SplitLimits = LIMITS): Generator<Uint8Array, void, undefined> {
  const message = new Message(otlp, limits);
  let isSplit = false;
  const traces = new WireReader(otlp);
  while (traces.next()) {
    if (traces.field !== 1) continue;
    traces.expect(WIRE_BYTES, 'TracesData.resource_spans');
    for (const full of splitResource(message, traces)) {
      isSplit = true;
      yield full;
    }
  }
  if (!message.isEmpty) yield isSplit ? message.take() : otlp;
}

/** Adds the spans of the ResourceSpans at the position of `at`; yields full messages. */
function* splitResource(message: Message, at: WireReader): Generator<Uint8Array, void, undefined> {
  const resource = groupOf(at);
  const scopes = new WireReader(at.bytes, at.valueStart, at.valueEnd);
  const spans = new WireReader(at.bytes);
  while (scopes.next()) {
    if (scopes.field !== 2) continue;
    scopes.expect(WIRE_BYTES, 'ResourceSpans.scope_spans');
    const scope = groupOf(scopes);
    spans.reset(scopes.valueStart, scopes.valueEnd);
    while (spans.next()) {
      if (spans.field !== 2) continue;
      if (!message.hasRoom(resource, scope, spans.pos - spans.fieldStart)) yield message.take();
      message.add(resource, scope, spans);
    }
  }
}

/** All fields of the message at the reader except field 2, which is the list in both kinds of message. */
function groupOf({ bytes, valueStart, valueEnd }: WireReader): Group {
  const around = new ByteWriter(256);
  const reader = new WireReader(bytes, valueStart, valueEnd);
  while (reader.next()) if (reader.field !== 2) around.rawRange(bytes, reader.fieldStart, reader.pos);
  return { around: around.take() };
}

/** The spans of one message, as ranges until it is taken. */
class Message {
  readonly #otlp: Uint8Array;
  readonly #limits: SplitLimits;
  #runs: Run[] = [];
  #bytes = 0;
  #spans = 0;

  constructor(otlp: Uint8Array, limits: SplitLimits) {
    this.#otlp = otlp;
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#spans === 0;
  }

  /** False if a span of `sizeBytes` would make it too large; an empty message takes any. */
  hasRoom(resource: Group, scope: Group, sizeBytes: number): boolean {
    const { bytesMax, spansMax } = this.#limits;
    const bytes = this.#bytes + sizeBytes + this.#aroundBytes(resource, scope);
    return this.isEmpty || (this.#spans < spansMax && bytes <= bytesMax);
  }

  /** Adds the current span field of `span`. */
  add(resource: Group, scope: Group, { fieldStart: start, pos: end }: WireReader): void {
    this.#bytes += end - start + this.#aroundBytes(resource, scope);
    this.#spans++;
    const last = this.#runs.at(-1);
    if (last?.scope === scope && last.end === start) last.end = end;
    else this.#runs.push({ resource, scope, start, end });
  }

  #aroundBytes(resource: Group, scope: Group): number {
    const isOpen = this.#runs.at(-1)?.scope === scope;
    return isOpen ? 0 : resource.around.length + scope.around.length + GROUP_OVERHEAD_BYTES;
  }

  /** Returns the message and empties it. */
  take(): Uint8Array {
    assert(!this.isEmpty, 'a message without a span is sent');
    const runs = this.#runs;
    const out = new ByteWriter(this.#bytes + GROUP_OVERHEAD_BYTES);
    for (let i = 0; i < runs.length;) {
      const { resource } = runs[i]!;
      out.tag(1, 2);
      const resourceAt = out.beginMessage();
      out.raw(resource.around);
      while (runs[i]?.resource === resource) {
        const { scope } = runs[i]!;
        out.tag(2, 2);
        const scopeAt = out.beginMessage();
        out.raw(scope.around);
        for (; runs[i]?.scope === scope; i++) out.rawRange(this.#otlp, runs[i]!.start, runs[i]!.end);
        out.endMessage(scopeAt);
      }
      out.endMessage(resourceAt);
    }
    assert(out.length <= this.#bytes, `a message of ${out.length} bytes, which were counted as ${this.#bytes}`);
    this.#runs = [];
    this.#bytes = 0;
    this.#spans = 0;
    return out.take();
  }
}
