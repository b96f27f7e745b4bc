import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { jsonToRequest } from '../../src/otlp/json-to-request.ts';
import { tracesToJson } from '../../src/otlp/traces-to-json.ts';
import { encodeTraces, toOtlpJson } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { RICH_START_NS, RICH_TRACE, span, traceOf } from '../support/rich-trace.ts';

const SUITE = new URL('../../../shared/corpora/jaeger-storage-suite/traces/', import.meta.url);

function jsonText(otlp: Uint8Array): string {
  return Buffer.concat([...tracesToJson(otlp)]).toString('utf8');
}

test('the rich trace is written byte for byte as Jaeger v2.20 writes it', () => {
  const golden = readFileSync(new URL('../../fixtures/jaeger/rich-trace-otlp.json', import.meta.url), 'utf8');
  expect(`{"result":${jsonText(encodeTraces(RICH_TRACE))}}`).toBe(golden);
});

test('random traces read back as they were', () => {
  const random = createRandom(printedSeed('traces-to-json'));
  for (let i = 0; i < 300; i++) {
    const request = randomRequest(random, RICH_START_NS);
    expect(JSON.parse(jsonText(encodeTraces(request)))).toEqual(withAlways(toOtlpJson(request)));
  }
});

test('field order on the wire does not change the text, and unknown fields are left out', () => {
  const bytes = encodeTraces(traceOf([span(1)]));
  const wrapped = Buffer.concat([Buffer.from([0x9a, 0x01, 0x01, 0x78]), bytes]);
  expect(jsonText(wrapped)).toBe(jsonText(bytes));
});

test('a string that is not UTF-8 leaves valid JSON with U+FFFD', () => {
  const bytes = Buffer.from(encodeTraces(traceOf([span(1, { name: 'AAAA' })])));
  bytes[bytes.indexOf('AAAA')] = 0xff;
  const json = JSON.parse(jsonText(bytes)) as { resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[] };
  expect(json.resourceSpans[0]!.scopeSpans[0]!.spans[0]!.name).toBe('\ufffdAAA');
});

test('large traces come in many chunks, small ones in one', () => {
  const spans = Array.from({ length: 5_000 }, (_, i) => span(i + 1));
  const chunks = [...tracesToJson(encodeTraces(traceOf(spans)))];
  expect(chunks.length).toBeGreaterThan(5);
  expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThan(70_000);
  expect([...tracesToJson(encodeTraces(traceOf([span(1)])))].length).toBe(1);
});

test('bytes cut off anywhere are refused, never read beyond their end', () => {
  const [first] = RICH_TRACE.resourceSpans!;
  const bytes = encodeTraces({ resourceSpans: [first!] });
  for (let size = 1; size < bytes.length; size += 3) {
    expect(() => jsonText(bytes.subarray(0, size))).toThrow(/malformed protobuf/);
  }
});

test.each([
  ['a string where a number belongs', [0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x32, 0x00]],
  ['a number where a string belongs', [0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x28, 0x7f]],
])('%s is refused', (_what, bytes) => {
  expect(() => jsonText(Uint8Array.from(bytes))).toThrow(/malformed protobuf/);
});

test.skipIf(!existsSync(SUITE))('the traces of Jaeger’s storage suite come out as they went in', () => {
  const files = readdirSync(SUITE);
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) {
    const text = readFileSync(new URL(file, SUITE));
    const out: unknown = JSON.parse(jsonText(jsonToRequest(text)));
    expect(out, file).toEqual(withAlways(JSON.parse(text.toString('utf8'))));
  }
});

type Json = Record<string, unknown>;

/** The same JSON with what ours always holds: resource, scope, status and an attribute's value; no empty lists. */
function withAlways(request: unknown): unknown {
  const { resourceSpans } = request as { resourceSpans?: Json[] };
  return mapLists({ resourceSpans }, (group) => ({
    resource: {},
    ...mapLists(group, (scopeSpans) => ({ scope: {}, ...mapLists(scopeSpans, (one) => ({ status: {}, ...one })) })),
  }));
}

/** Fills attributes everywhere, applies `inner` to the items of scopeSpans, spans and resourceSpans, drops empty lists. */
function mapLists(message: Json, inner: (item: Json) => Json): Json {
  const entries = Object.entries(message).map(([name, value]): [string, unknown] => {
    if (name === 'attributes') return [name, (value as Json[]).map(pair)];
    if (['resourceSpans', 'scopeSpans', 'spans'].includes(name)) {
      return [name, (value as Json[] | undefined)?.map((item) => mapLists(inner(item), (same) => same))];
    }
    if (Array.isArray(value))
      return [
        name,
        value.map((item: unknown) => (typeof item === 'string' ? item : mapLists(item as Json, (same) => same))),
      ];
    return [name, typeof value === 'object' && value !== null ? mapLists(value as Json, (same) => same) : value];
  });
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

function pair(item: Json): Json {
  return { ...item, value: anyValue((item['value'] ?? {}) as Json) };
}

function anyValue(value: Json): Json {
  const { arrayValue, kvlistValue, doubleValue } = value as {
    arrayValue?: { values?: Json[] };
    kvlistValue?: { values?: Json[] };
    doubleValue?: unknown;
  };
  if (arrayValue?.values !== undefined) return { arrayValue: { values: arrayValue.values.map(anyValue) } };
  if (kvlistValue?.values !== undefined) return { kvlistValue: { values: kvlistValue.values.map(pair) } };
  return doubleValue === '-0' ? { doubleValue: -0 } : value;
}
