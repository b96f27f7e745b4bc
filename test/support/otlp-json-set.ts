// OTLP JSON as a set of spans: one string per span holding everything OTLP says of it, in a normal form in which default
// and absent are the same (JSON cannot tell them apart), while the order of attributes, events and links counts. An oracle: it
// shares nothing with src.
import { toOtlpJson, type OtlpRequest } from './otlp-proto.ts';

export type Json = { readonly [name: string]: unknown };

/** One span with what it hangs from. */
export interface LooseSpan {
  /** ResourceSpans without its scopeSpans. */
  readonly group: Json;
  /** ScopeSpans without its spans. */
  readonly scope: Json;
  readonly span: Json;
}

/** Every span of a message {"resourceSpans": …}, in its order. */
export function looseSpans(message: unknown): LooseSpan[] {
  return listOf(message, 'resourceSpans').flatMap(({ scopeSpans, ...group }) =>
    listOf({ scopeSpans }, 'scopeSpans').flatMap(({ spans, ...scope }) =>
      listOf({ spans }, 'spans').map((span) => ({ group, scope, span })),
    ),
  );
}

/** The spans of messages {"resourceSpans": …} by trace id (32 hex digits); equal ones once, sorted. */
export function spansByTrace(messages: Iterable<unknown>): Map<string, string[]> {
  const byTrace = new Map<string, Set<string>>();
  for (const loose of Array.from(messages, looseSpans).flat()) addSpan(byTrace, loose);
  return new Map([...byTrace].map(([id, spans]) => [id, [...spans].sort()]));
}

/** The same of requests in protobufjs' form. */
export function spansByTraceOf(requests: Iterable<OtlpRequest>): Map<string, string[]> {
  return spansByTrace(Array.from(requests, toOtlpJson));
}

function addSpan(byTrace: Map<string, Set<string>>, parts: LooseSpan): void {
  const traceId = String(parts.span['traceId']).toLowerCase();
  let spans = byTrace.get(traceId);
  if (spans === undefined) byTrace.set(traceId, (spans = new Set()));
  spans.add(JSON.stringify({ group: message(parts.group), scope: message(parts.scope), span: message(parts.span) }));
}

function listOf(from: unknown, name: string): Json[] {
  return ((from as Json)[name] ?? []) as Json[];
}

function message(fields: Json): Json {
  const entries = Object.entries(fields).map(([name, value]): [string, unknown] => [name, field(name, value)]);
  return Object.fromEntries(entries.filter(([, value]) => !isDefault(value)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function field(name: string, value: unknown): unknown {
  if (name === 'attributes') return (value as Json[]).map(pair);
  if (Array.isArray(value))
    return value.map((item: unknown) => (typeof item === 'string' ? item : message(item as Json)));
  if (typeof value === 'object' && value !== null) return message(value as Json);
  return name.endsWith('Id') && /^0*$/.test(String(value)) ? '' : value;
}

function isDefault(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === '' || value === 0 || value === '0';
}

function pair({ key, value }: Json): Json {
  return { key: key ?? '', value: anyValue((value ?? {}) as Json) };
}

/** A oneof: its member counts even when it is zero or empty. */
function anyValue(value: Json): Json {
  const [[member, content] = []] = Object.entries(value);
  switch (member) {
    case undefined:
      return {};
    case 'arrayValue':
      return { arrayValue: listOf(content, 'values').map(anyValue) };
    case 'kvlistValue':
      return { kvlistValue: listOf(content, 'values').map(pair) };
    case 'doubleValue':
      return { doubleValue: Object.is(Number(content), -0) ? '-0' : String(Number(content)) };
    default:
      return { [member]: content };
  }
}
