// One trace as Jaeger's legacy JSON, byte for byte as Jaeger v2.20 writes it (contract/jaeger.md §1.8, §4.2), with intended
// differences: events are in time order, duplicate keys are all kept, NaN and infinities become strings instead of failing the
// answer, and warnings stay with their span if span ids are duplicate. Equal input gives equal output.
import { JsonWriter } from '../../bytes/json-writer.ts';
import type { Attribute } from '../../trace/attributes.ts';
import { adjustInTurns } from './jaeger-adjusters.ts';
import { writeReferences } from './jaeger-references.ts';
import { readJaegerSpan } from './jaeger-span.ts';
import { writeTag, writeText } from './jaeger-tags.ts';
import { processJson } from './process-json.ts';
import type { ResourceView, SpanView, TraceView } from './trace-view.ts';

/** A chunk is yielded when it reaches this size. */
const CHUNK_BYTES = 65_536;

export interface JaegerJsonOptions {
  /** Skips Jaeger's adjusters and their warnings, but not its sanitizers, which change names and durations. */
  readonly isRaw: boolean;
  /**
   * What could not be read: it becomes the trace's warnings and, unless raw, also the first span's, because Jaeger UI shows
   * only warnings of spans.
   */
  readonly lacks?: readonly string[];
}

/** A writer for the traces of one answer. */
export function newJaegerJson(): JsonWriter {
  return new JsonWriter({ isHtmlEscaped: true, capacityBytes: CHUNK_BYTES * 2 });
}

/**
 * Writes the trace to `out`, and yields what is in `out` in UTF-8 chunks of about 64 KiB, and TURNs, which are empty; what is
 * left stays in `out`. A view can be written only once, because adjusting changes it.
 */
export function* jaegerTraceToJson(
  out: JsonWriter,
  trace: TraceView,
  { isRaw, lacks = [] }: JaegerJsonOptions,
): Generator<Buffer, void, undefined> {
  if (!isRaw) yield* adjustInTurns(trace);
  const encoder = new TraceEncoder(out, trace, isRaw);
  out.text(`{"traceID":"${trace.traceId}","spans":[`);
  let isFirst = true;
  for (const span of trace.spans()) {
    if (!isFirst) out.text(',');
    encoder.span(span, isFirst && !isRaw ? lacks : []);
    isFirst = false;
    if (out.length >= CHUNK_BYTES) yield out.take();
  }
  out.text('],"processes":');
  encoder.processes();
  out.text(',"warnings":');
  encoder.warnings(lacks);
  out.text('}');
}

class TraceEncoder {
  readonly #out: JsonWriter;
  readonly #trace: TraceView;
  readonly #isRaw: boolean;
  /** Process id by the key that equal processes share. */
  readonly #idByKey = new Map<string, string>();
  readonly #idByResource = new Map<ResourceView, string>();
  readonly #jsonById = new Map<string, string>();

  constructor(out: JsonWriter, trace: TraceView, isRaw: boolean) {
    this.#out = out;
    this.#trace = trace;
    this.#isRaw = isRaw;
  }

  /** `more` are warnings in addition to the span's own. */
  span(span: SpanView, more: readonly string[]): void {
    const out = this.#out;
    const { name, references, tags, logs, warnings } = readJaegerSpan(this.#trace, span, this.#isRaw);
    out.text(`{"traceID":"${this.#trace.traceId}","spanID":"${span.spanId}","operationName":`);
    writeText(out, this.#trace.bytes, name);
    out.text(',"references":[');
    writeReferences(out, references);
    out.text(']');
    out.text(`,"startTime":${span.startNs / 1000n},"duration":${(span.endNs - span.startNs) / 1000n},"tags":[`);
    this.#tags(tags);
    out.text('],"logs":[');
    logs.forEach((log, i) => {
      out.text(`${i > 0 ? ',' : ''}{"timestamp":${log.timeNs / 1000n},"fields":[`);
      this.#tags(log.fields);
      out.text(']}');
    });
    out.text(`],"processID":"${this.#processId(span.resource)}","warnings":`);
    this.warnings(more.length === 0 ? warnings : [...warnings, ...more]);
    out.text('}');
  }

  /** A list, or null if there are none. */
  warnings(texts: readonly string[]): void {
    const out = this.#out;
    if (texts.length === 0) return out.text('null');
    texts.forEach((text, i) => {
      out.text(i === 0 ? '[' : ',');
      out.string(text);
    });
    out.text(']');
  }

  /** `{"p1":…}` with the ids in string order, as Go writes a map: p1, p10, p2. */
  processes(): void {
    const ids = [...this.#jsonById.keys()].sort();
    this.#out.utf8Text(`{${ids.map((id) => `"${id}":${this.#jsonById.get(id)!}`).join(',')}}`);
  }

  #tags(tags: readonly Attribute[]): void {
    for (let i = 0; i < tags.length; i++) {
      if (i > 0) this.#out.text(',');
      writeTag(this.#out, this.#trace.bytes, tags[i]!);
    }
  }

  #processId(resource: ResourceView): string {
    let id = this.#idByResource.get(resource);
    if (id !== undefined) return id;
    const { key, json } = processJson(this.#trace.bytes, resource, this.#isRaw);
    id = this.#idByKey.get(key);
    if (id === undefined) {
      id = `p${this.#idByKey.size + 1}`;
      this.#idByKey.set(key, id);
      this.#jsonById.set(id, json);
    }
    this.#idByResource.set(resource, id);
    return id;
  }
}
