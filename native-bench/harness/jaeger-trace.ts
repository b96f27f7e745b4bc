// The parts of Jaeger's trace JSON that the scenarios and the demo look at, parsed once from what a server answers.

export interface JaegerTag {
  readonly key: string;
  readonly value: string | number | boolean;
}

export interface JaegerSpan {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly service: string;
  readonly operation: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly tags: readonly JaegerTag[];
  readonly isError: boolean;
}

export interface JaegerTrace {
  readonly traceId: string;
  readonly spans: readonly JaegerSpan[];
}

type Json = Readonly<Record<string, unknown>>;

/** Throws when a field that Jaeger always sends is missing or has another type. */
export function parseJaegerTrace(value: unknown): JaegerTrace {
  const trace = objectOf(value, 'trace');
  const processes = objectOf(trace['processes'], 'processes');
  return {
    traceId: textOf(trace, 'traceID'),
    spans: listOf(trace, 'spans').map((span) => parseSpan(objectOf(span, 'span'), processes)),
  };
}

function parseSpan(span: Json, processes: Json): JaegerSpan {
  const process = objectOf(processes[textOf(span, 'processID')], 'process');
  const tags = listOf(span, 'tags').map((tag) => parseTag(objectOf(tag, 'tag')));
  const parent = listOf(span, 'references')
    .map((reference) => objectOf(reference, 'reference'))
    .find((reference) => reference['refType'] === 'CHILD_OF' && reference['traceID'] === span['traceID']);
  return {
    spanId: textOf(span, 'spanID'),
    parentSpanId: parent === undefined ? undefined : textOf(parent, 'spanID'),
    service: textOf(process, 'serviceName'),
    operation: textOf(span, 'operationName'),
    startUs: numberOf(span, 'startTime'),
    durationUs: numberOf(span, 'duration'),
    tags,
    isError: tags.some(({ key, value }) => key === 'error' && value === true),
  };
}

function parseTag(tag: Json): JaegerTag {
  const value = tag['value'];
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw unexpected('tag value', value);
  return { key: textOf(tag, 'key'), value };
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null) throw unexpected(what, value);
  return value as Json;
}

function listOf(from: Json, name: string): readonly unknown[] {
  const value = from[name];
  if (!Array.isArray(value)) throw unexpected(name, value);
  return value;
}

function textOf(from: Json, name: string): string {
  const value = from[name];
  if (typeof value !== 'string') throw unexpected(name, value);
  return value;
}

function numberOf(from: Json, name: string): number {
  const value = from[name];
  if (typeof value !== 'number') throw unexpected(name, value);
  return value;
}

function unexpected(what: string, value: unknown): Error {
  return new Error(`not Jaeger's trace JSON: ${what} is ${JSON.stringify(value)?.slice(0, 100) ?? 'missing'}`);
}
