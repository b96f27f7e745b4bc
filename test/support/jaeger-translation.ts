// OTLP → Jaeger's legacy model as contract/jaeger.md §4.2 has it, from OTLP JSON objects and without adjusters: the oracle
// beside src/api/jaeger/jaeger-json.ts, with which it shares nothing. What may differ between two right answers (the order of
// spans, the names of processes) is taken away by normalSpans.
import type { JaegerSpan, JaegerTrace, Tag } from './jaeger-view.ts';
import { nsOf, type JaegerSpan as ProtoSpan, type JaegerTag as ProtoTag } from './storage-client.ts';
import { looseSpans, type Json, type LooseSpan } from './otlp-json-set.ts';

type Attributes = readonly Json[];
type Process = { serviceName: string; tags: Tag[] };

/**
 * Spans of a message {"resourceSpans": …} by trace id as it is printed, in first-seen order, in normal form, with the names and
 * durations that Jaeger's sanitizers give before storage (§1.10).
 */
export function translate(message: unknown): Map<string, string[]> {
  const traces = new Map<string, string[]>();
  for (const loose of looseSpans(message)) {
    const span = translateSpan(loose);
    const spans = traces.get(span.traceID) ?? [];
    spans.push(normal(span, translateProcess(loose.group)));
    traces.set(span.traceID, spans);
  }
  for (const spans of traces.values()) spans.sort();
  return traces;
}

/** The spans of a trace as Jaeger's JSON has it, in the same form. Warnings do not count. */
export function normalSpans(trace: JaegerTrace): string[] {
  return trace.spans.map((span) => normal(span, trace.processes[span.processID]!)).sort();
}

/** A span of api_v2, whose process comes with it, in the same form. */
export function normalProtoSpan(span: ProtoSpan): string {
  const { traceId, spanId, operationName, startTime, duration, logs } = span;
  const fields = {
    traceID: printedTraceId(hex(traceId)),
    spanID: hex(spanId),
    operationName,
    references: span.references.map((reference) => ({
      refType: reference.refType === 0 ? 'CHILD_OF' : 'FOLLOWS_FROM',
      traceID: printedTraceId(hex(reference.traceId)),
      spanID: hex(reference.spanId),
    })),
    startTime: Number(nsOf(startTime) / 1_000n),
    duration: Number(nsOf(duration) / 1_000n),
    tags: span.tags.map(protoTag),
    logs: logs.map((log) => ({ timestamp: Number(nsOf(log.timestamp) / 1_000n), fields: log.fields.map(protoTag) })),
  };
  const { serviceName, tags } = span.process;
  return normal(fields, { serviceName, tags: tags.map(protoTag) });
}

function protoTag({ key, vType, vStr, vBool, vInt64, vFloat64, vBinary }: ProtoTag): Tag {
  const tag = (type: string, value: unknown): Tag => ({ key, type, value });
  const integer = Number.isSafeInteger(Number(vInt64)) ? Number(vInt64) : String(vInt64);
  const values = [vStr, vBool, integer, doubleOf(vFloat64), Buffer.from(vBinary).toString('base64')];
  return tag(['string', 'bool', 'int64', 'float64', 'binary'][vType]!, values[vType]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function normal(span: Omit<JaegerSpan, 'processID' | 'warnings'>, { serviceName, tags }: Process): string {
  const { traceID, spanID, operationName, references, startTime, duration, logs } = span;
  const fields = { traceID, spanID, operationName, references, startTime, duration, tags: span.tags, logs };
  return JSON.stringify({ ...fields, process: { serviceName, tags } });
}

function translateSpan({ scope: scopeSpans, span }: LooseSpan): Omit<JaegerSpan, 'processID' | 'warnings'> {
  const startNs = BigInt((span['startTimeUnixNano'] as string | undefined) ?? 0);
  const endNs = BigInt((span['endTimeUnixNano'] as string | undefined) ?? 0);
  const name = (span['name'] ?? '') as string;
  return {
    traceID: printedTraceId(span['traceId']),
    spanID: spanIdText(span['spanId']),
    operationName: name === '' ? 'empty-span-name' : name,
    references: referencesOf(span),
    startTime: Number(startNs / 1_000n),
    duration: endNs < startNs ? 0 : Number((endNs - startNs) / 1_000n),
    tags: tagsOf(span, (scopeSpans['scope'] ?? {}) as Json),
    logs: listOf(span, 'events').map((event) => ({
      timestamp: Number(BigInt((event['timeUnixNano'] as string | undefined) ?? 0) / 1_000n),
      fields: fieldsOf(event),
    })),
  };
}

function translateProcess(group: Json): Process {
  const attributes = listOf((group['resource'] ?? {}) as Json, 'attributes');
  const name = attributes.find(({ key }) => key === 'service.name');
  const tags = attributes.filter((attribute) => attribute !== name).map(tagOf);
  return { serviceName: serviceOf(name), tags };
}

function serviceOf(name: Json | undefined): string {
  const text = ((name?.['value'] ?? {}) as Json)['stringValue'] as string | undefined;
  if (name === undefined) return 'missing-service-name';
  return text === undefined ? 'service-name-wrong-type' : text || 'empty-service-name';
}

function referencesOf(span: Json): JaegerSpan['references'] {
  const traceID = printedTraceId(span['traceId']);
  const parentId = spanIdText(span['parentSpanId']);
  const links = listOf(span, 'links').map((link) => ({
    refType: isChildOf(link) ? 'CHILD_OF' : 'FOLLOWS_FROM',
    traceID: printedTraceId(link['traceId']),
    spanID: spanIdText(link['spanId']),
  }));
  if (/^0*$/.test(parentId)) return links;
  const toParent = links.filter((link) => link.traceID === traceID && link.spanID === parentId);
  const parent = { refType: toParent.at(-1)?.refType ?? 'CHILD_OF', traceID, spanID: parentId };
  return [parent, ...links.filter((link) => !toParent.includes(link))];
}

function isChildOf(link: Json): boolean {
  const type = listOf(link, 'attributes').find(({ key }) => key === 'opentracing.ref_type');
  return ((type?.['value'] ?? {}) as Json)['stringValue'] === 'child_of';
}

const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

function tagsOf(span: Json, scope: Json): Tag[] {
  const { code = 0, message } = (span['status'] ?? {}) as { code?: number; message?: string };
  return [
    ...textTag('otel.scope.name', scope['name']),
    ...textTag('otel.scope.version', scope['version']),
    ...listOf(span, 'attributes').map(tagOf),
    ...textTag('span.kind', KINDS[(span['kind'] ?? 0) as number]),
    ...textTag('otel.status_code', ['', 'OK', 'ERROR'][code]),
    ...(code === 2 ? [{ key: 'error', type: 'bool', value: true }] : []),
    ...textTag('otel.status_description', message),
    ...textTag('w3c.tracestate', span['traceState']),
  ];
}

function fieldsOf(event: Json): Tag[] {
  const attributes: Attributes = listOf(event, 'attributes');
  const hasOwn = attributes.some(({ key }) => key === 'event');
  return [...(hasOwn ? [] : textTag('event', event['name'])), ...attributes.map(tagOf)];
}

/** Nothing for an absent or empty value. */
function textTag(key: string, value: unknown): Tag[] {
  return value === undefined || value === '' ? [] : [{ key, type: 'string', value }];
}

function tagOf({ key = '', value }: Json): Tag {
  const [[member, content] = []] = Object.entries((value ?? {}) as Json);
  const tag = (type: string, shown: unknown): Tag => ({ key: key as string, type, value: shown });
  switch (member) {
    case undefined:
      return tag('string', '');
    case 'stringValue':
      return tag('string', content);
    case 'boolValue':
      return tag('bool', content);
    case 'intValue':
      return tag('int64', Number.isSafeInteger(Number(content)) ? Number(content) : content);
    case 'doubleValue':
      return tag('float64', doubleOf(content));
    case 'bytesValue':
      return tag('binary', content);
    default:
      return tag('string', jsonText((value ?? {}) as Json));
  }
}

function doubleOf(content: unknown): number | string {
  const value = Number(content);
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** An AnyValue as compact JSON: maps by key, the last of equal keys; integers in full; bytes in base64. */
function jsonText(value: Json): string {
  const [[member, content] = []] = Object.entries(value);
  switch (member) {
    case undefined:
      return 'null';
    case 'arrayValue':
      return `[${listOf(content as Json, 'values')
        .map(jsonText)
        .join(',')}]`;
    case 'kvlistValue': {
      const items = listOf(content as Json, 'values').map(({ key = '', value: item }): [string, string] => [
        key as string,
        jsonText((item ?? {}) as Json),
      ]);
      const sorted = [...new Map(items)].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return `{${sorted.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`;
    }
    case 'intValue':
      return String(content);
    default:
      return JSON.stringify(content);
  }
}

/** Leading 8 zero bytes are dropped. */
function printedTraceId(id: unknown): string {
  const hex = ((id ?? '') as string).toLowerCase().padStart(32, '0');
  return hex.startsWith('0'.repeat(16)) ? hex.slice(16) : hex;
}

function spanIdText(id: unknown): string {
  return ((id ?? '') as string).toLowerCase().padStart(16, '0');
}

function listOf(from: Json, name: string): Json[] {
  return (from[name] ?? []) as Json[];
}
