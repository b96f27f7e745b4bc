// A request as a set of spans: one string per span holding everything OTLP says of it (resource, scope, schema URLs and
// every field), sorted. Two requests store the same spans exactly when their lists are equal, however they are grouped.
import { decodeRequest } from './otlp-proto.ts';

function print(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return `${item}n`;
    if (typeof item === 'number' && !Number.isFinite(item)) return `${item}f`;
    if (Object.is(item, -0)) return '-0f';
    return item instanceof Uint8Array ? `0x${Buffer.from(item).toString('hex')}` : item;
  });
}

/** Every span of the ExportTraceServiceRequest or TracesData messages, sorted; duplicates kept. */
export function spanSet(messages: readonly Uint8Array[]): string[] {
  const out = messages.flatMap((message) =>
    (decodeRequest(message).resourceSpans ?? []).flatMap(({ scopeSpans = [], ...resource }) =>
      scopeSpans.flatMap(({ spans = [], ...scope }) => spans.map((span) => print({ resource, scope, span }))),
    ),
  );
  return out.sort();
}
