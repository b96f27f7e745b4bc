// OTLP JSON in, canonical protobuf out: compared byte for byte with protobufjs's encoding of the same request.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { limits } from '../../src/base/limits.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import { UNKNOWN_NAME_FIELD } from '../../src/otlp/json-schema.ts';
import { jsonToRequest } from '../../src/otlp/json-to-request.ts';
import {
  decodeRequest,
  encodeRequest,
  spansOf,
  toOtlpJson,
  type OtlpAnyValue,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const convert = (json: unknown): Uint8Array => jsonToRequest(bytesOf(JSON.stringify(json)));
const spanJson = (span: unknown): unknown => ({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });

function convertSpanText(text: string): OtlpSpan {
  return spansOf(decodeRequest(jsonToRequest(bytesOf(`{"resourceSpans":[{"scopeSpans":[{"spans":[${text}]}]}]}`))))[0]!;
}

function convertValueText(text: string): OtlpAnyValue | undefined {
  return convertSpanText(`{"attributes":[{"key":"k","value":${text}}]}`).attributes![0]!.value;
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(isStoreError(error, 'INVALID_REQUEST'), String(error)).toBe(true);
    return (error as Error).message;
  }
  throw new Error('expected an INVALID_REQUEST, nothing was thrown');
}

describe('valid requests', () => {
  test('random requests give the bytes that protobufjs gives', () => {
    const random = createRandom(printedSeed('json-to-request'));
    for (let i = 0; i < 400; i++) {
      const request = randomRequest(random, 1_763_600_000_000_000_000n);
      const expected = encodeRequest(request);
      expect(Buffer.from(convert(toOtlpJson(request))).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
      expect(decodeRequest(expected)).toEqual(request);
    }
  });

  test('snake_case names and numbers for texts give the same bytes', () => {
    const random = createRandom(7);
    for (let i = 0; i < 100; i++) {
      const request = randomRequest(random, 1_763_600_000_000_000_000n);
      const snake = JSON.stringify(toOtlpJson(request)).replace(
        /"([a-z]+[A-Z]\w*)":/g,
        (_, name: string) => `"${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}":`,
      );
      const bare = snake.replace(/"(int_value|\w*_nano)":"(-?\d+)"/g, '"$1":$2');
      expect(Buffer.from(jsonToRequest(bytesOf(bare)))).toEqual(Buffer.from(encodeRequest(request)));
    }
  });

  test('the result owns an exact ArrayBuffer, so that it can be transferred', () => {
    const out = convert(spanJson({ name: 'x' }));
    expect([out.byteOffset, out.buffer.byteLength]).toEqual([0, out.byteLength]);
  });

  test('empty sub-messages stay present, absent and null ones stay absent', () => {
    const request = decodeRequest(
      convert({
        resourceSpans: [
          {
            resource: {},
            scopeSpans: [
              {
                scope: {},
                spans: [{ status: {}, attributes: [{ key: 'a', value: {} }, { key: 'b' }, { key: 'c', value: null }] }],
              },
            ],
          },
          { resource: null, scopeSpans: [{ scope: null, spans: null }], schemaUrl: null },
          {},
        ],
      }),
    );
    expect(request).toEqual({
      resourceSpans: [
        {
          resource: {},
          scopeSpans: [
            { scope: {}, spans: [{ status: {}, attributes: [{ key: 'a', value: {} }, { key: 'b' }, { key: 'c' }] }] },
          ],
        },
        { scopeSpans: [{}] },
        {},
      ],
    });
  });

  test('no spans at all is a valid request', () => {
    for (const text of ['{}', '{"resourceSpans":[]}', '{"resourceSpans":null}', '\ufeff{}']) {
      expect(jsonToRequest(bytesOf(text)).length).toBe(0);
    }
    expect(decodeRequest(jsonToRequest(bytesOf(' {"unknown":[1,{"x":2}]} ')))).toEqual({});
  });

  test.each([
    [
      '{"traceId":"AbCdEf0123456789abcdef0123456789"}',
      { traceId: Uint8Array.from(Buffer.from('abcdef0123456789abcdef0123456789', 'hex')) },
    ],
    ['{"traceId":"ab"}', { traceId: Uint8Array.of(0xab) }],
    ['{"traceId":"","spanId":""}', {}],
    ['{"kind":"SPAN_KIND_SERVER"}', { kind: 2 }],
    ['{"kind":"SPAN_KIND_UNSPECIFIED"}', {}],
    ['{"kind":3}', { kind: 3 }],
    ['{"kind":"4"}', { kind: 4 }],
    ['{"kind":99}', { kind: 99 }],
    ['{"kind":-1}', { kind: -1 }],
    ['{"status":{"code":"STATUS_CODE_ERROR","message":"m"}}', { status: { code: 2, message: 'm' } }],
    ['{"status":{"code":1}}', { status: { code: 1 } }],
    ['{"startTimeUnixNano":1763600000123456789}', { startTimeUnixNano: 1763600000123456789n }],
    ['{"startTimeUnixNano":"1763600000123456789"}', { startTimeUnixNano: 1763600000123456789n }],
    ['{"startTimeUnixNano": 1.763600000123456789e18}', { startTimeUnixNano: 1763600000123456789n }],
    ['{"startTimeUnixNano":1e18}', { startTimeUnixNano: 10n ** 18n }],
    ['{"endTimeUnixNano":"18446744073709551615"}', { endTimeUnixNano: 2n ** 64n - 1n }],
    ['{"endTimeUnixNano":18446744073709551615}', { endTimeUnixNano: 2n ** 64n - 1n }],
    ['{"endTimeUnixNano":"9999999999999999999"}', { endTimeUnixNano: 9999999999999999999n }],
    ['{"flags":257,"droppedAttributesCount":"4294967295"}', { flags: 257, droppedAttributesCount: 4294967295 }],
    ['{"name":"a","futureField":{"deep":[1]},"name2":null}', { name: 'a' }],
    ['{"name":"cut \\ud83d"}', { name: 'cut \ufffd' }],
    ['{"name":"a","name":"b"}', { name: 'b' }],
    ['{"__proto__":{"name":"x"},"constructor":1}', {}],
  ])('span %s', (text, expected) => {
    expect(convertSpanText(text)).toEqual(expected);
  });

  test.each<[string, OtlpAnyValue]>([
    ['{"intValue":5}', { intValue: 5n }],
    ['{"intValue":"5"}', { intValue: 5n }],
    ['{"intValue":0}', { intValue: 0n }],
    ['{"intValue":-0}', { intValue: 0n }],
    ['{"intValue":9007199254740993}', { intValue: 9007199254740993n }],
    ['{"intValue":-9223372036854775808}', { intValue: -(2n ** 63n) }],
    ['{"intValue":"9223372036854775807"}', { intValue: 2n ** 63n - 1n }],
    ['{"intValue":-4294967297}', { intValue: -4294967297n }],
    ['{"intValue":1.50e1}', { intValue: 15n }],
    // Beyond 64 bits, as JavaScript exporters write whole numbers: 2^63, -(2^63), 2^64, 1e300.
    ['{"intValue":9223372036854776000}', { doubleValue: 2 ** 63 }],
    ['{"intValue":"9223372036854775808"}', { doubleValue: 2 ** 63 }],
    ['{"intValue":-9223372036854776000}', { doubleValue: -(2 ** 63) }],
    ['{"intValue":18446744073709552000}', { doubleValue: 2 ** 64 }],
    ['{"intValue":1e+300}', { doubleValue: 1e300 }],
    ['{"arrayValue":{"values":[{"intValue":1e21}]}}', { arrayValue: { values: [{ doubleValue: 1e21 }] } }],
    ['{"int_value":7}', { intValue: 7n }],
    ['{"doubleValue":1.5}', { doubleValue: 1.5 }],
    ['{"doubleValue":12345678901234567890}', { doubleValue: Number(12345678901234567890n) }],
    ['{"doubleValue":"NaN"}', { doubleValue: NaN }],
    ['{"doubleValue":"-Infinity"}', { doubleValue: -Infinity }],
    ['{"doubleValue":"1e-3"}', { doubleValue: 0.001 }],
    ['{"stringValue":"","intValue":null}', { stringValue: '' }],
    ['{"boolValue":false}', { boolValue: false }],
    ['{"bytesValue":"+/8="}', { bytesValue: Uint8Array.of(0xfb, 0xff) }],
    ['{"bytesValue":"-_8"}', { bytesValue: Uint8Array.of(0xfb, 0xff) }],
    ['{"bytesValue":""}', { bytesValue: new Uint8Array(0) }],
    ['{"arrayValue":{}}', { arrayValue: {} }],
    ['{"arrayValue":{"values":[{},{"intValue":"1"}]}}', { arrayValue: { values: [{}, { intValue: 1n }] } }],
    ['{"kvlistValue":{"values":[]}}', { kvlistValue: {} }],
    [
      '{"kvlist_value":{"values":[{"key":"a","value":{"boolValue":true}}]}}',
      { kvlistValue: { values: [{ key: 'a', value: { boolValue: true } }] } },
    ],
    ['{"unknownValue":1}', {}],
  ])('value %s', (text, expected) => {
    expect(convertValueText(text)).toEqual(expected);
  });
});

const CORPUS = new URL('../../../shared/corpora/otel-demo.otlpframes', import.meta.url);

test.skipIf(!existsSync(CORPUS))('the requests of the OpenTelemetry demo survive the way through JSON', () => {
  const frames = readFileSync(CORPUS);
  let spans = 0;
  for (let at = 0; at < frames.length;) {
    const size = frames.readUInt32LE(at);
    const request = decodeRequest(frames.subarray(at + 8, at + 8 + size));
    expect(Buffer.compare(convert(toOtlpJson(request)), encodeRequest(request))).toBe(0);
    spans += spansOf(request).length;
    at += 8 + size;
  }
  expect(spans).toBe(4_743);
});

describe('a name that no message has where it stands is told, the first one', () => {
  const unknownOf = (text: string): string | undefined => {
    const reader = new WireReader(jsonToRequest(bytesOf(text)));
    let found: string | undefined;
    while (reader.next()) if (reader.field === UNKNOWN_NAME_FIELD) found = Buffer.from(reader.value()).toString();
    return found;
  };
  const inSpan = (text: string): string => `{"resourceSpans":[{},{"scopeSpans":[{"spans":[{},${text}]}]}]}`;
  test.each([
    ['{}', undefined],
    ['{"resource_spans":[]}', undefined],
    ['{"resourceLogs":[]}', '"resourceLogs" in the request'],
    ['{"resourcespans":[{}]}', '"resourcespans" in the request'],
    ['{"resourceSpans":[{"spans":[]}]}', '"spans" in resourceSpans[0]'],
    ['{"resourceSpans":[{"resource":{"atributes":[]}}]}', '"atributes" in resourceSpans[0].resource'],
    ['{"resourceSpans":[{"scopeSpans":[{"scope":{"names":1}}]}]}', '"names" in resourceSpans[0].scopeSpans[0].scope'],
    [inSpan('{"traceId":"","parent_span_id":"","flags":1,"droppedLinksCount":0}'), undefined],
    [inSpan('{"span_ID":""}'), '"span_ID" in resourceSpans[1].scopeSpans[0].spans[1]'],
    [inSpan('{"events":[{"x":1}],"y":2}'), '"y" in resourceSpans[1].scopeSpans[0].spans[1]'],
    [inSpan('{"events":[{"x":1}]}'), '"x" in resourceSpans[1].scopeSpans[0].spans[1].events[0]'],
    [inSpan('{"links":[{"x":1}]}'), '"x" in resourceSpans[1].scopeSpans[0].spans[1].links[0]'],
    [inSpan('{"status":{"x":1}}'), '"x" in resourceSpans[1].scopeSpans[0].spans[1].status'],
    [inSpan('{"attributes":[{"key":"a","value":{}}]}'), undefined],
    [
      inSpan('{"attributes":[{"value":{"uintValue":1}}]}'),
      '"uintValue" in resourceSpans[1].scopeSpans[0].spans[1].attributes[0].value',
    ],
    [`{"${'x'.repeat(500)}":1}`, `"${'x'.repeat(60)}" in the request`],
  ])('%s', (text, unknown) => {
    expect(unknownOf(text)).toBe(unknown);
  });
});

describe('malformed requests', () => {
  const PREFIX = 'malformed OTLP JSON: ';
  test.each([
    ['[]', 'body: expected a JSON object, got an array'],
    ['null', 'body: expected a JSON object, got null'],
    ['{"resourceSpans":{}}', 'resourceSpans: expected an array, got an object'],
    ['{"resourceSpans":[null]}', 'resourceSpans[0]: expected an object, got null'],
    ['{"resourceSpans":[{"resource":[]}]}', 'resourceSpans[0].resource: expected an object, got an array'],
    [
      '{"resourceSpans":[{},{"scopeSpans":[{"scope":{"name":1}}]}]}',
      'resourceSpans[1].scopeSpans[0].scope.name: expected a string, got 1',
    ],
    [
      '{"resourceSpans":[{"resource":{"entityRefs":[{"idKeys":["a",2]}]}}]}',
      'resourceSpans[0].resource.entityRefs[0].idKeys[1]: expected a string, got 2',
    ],
  ])('%s', (text, expected) => {
    expect(messageOf(() => jsonToRequest(bytesOf(text)))).toBe(PREFIX + expected);
  });

  test.each([
    ['{"traceId":"xyz"}', 'traceId: expected hex, got "xyz"'],
    ['{"traceId":"abc"}', 'traceId: expected hex, got "abc"'],
    ['{"spanId":12}', 'spanId: expected hex, got 12'],
    ['{"traceId":"q80jRWeJq83vASNFZ4mrze8="}', 'traceId: expected hex, got "q80jRWeJq83vASNFZ4mrze8="'],
    ['{"name":{}}', 'name: expected a string, got an object'],
    [
      '{"kind":"SERVER"}',
      'kind: expected a number or one of SPAN_KIND_UNSPECIFIED, SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER, got "SERVER"',
    ],
    [
      '{"kind":1.5}',
      'kind: expected a number or one of SPAN_KIND_UNSPECIFIED, SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER, got 1.5',
    ],
    [
      '{"status":{"code":"BAD"}}',
      'status.code: expected a number or one of STATUS_CODE_UNSET, STATUS_CODE_OK, STATUS_CODE_ERROR, got "BAD"',
    ],
    ['{"status":"OK"}', 'status: expected an object, got "OK"'],
    ['{"startTimeUnixNano":-1}', 'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got -1'],
    [
      '{"startTimeUnixNano":"18446744073709551616"}',
      'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got "18446744073709551616"',
    ],
    [
      '{"startTimeUnixNano":18446744073709551616}',
      'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got 18446744073709551616',
    ],
    [
      '{"startTimeUnixNano":1763600000123456789.5}',
      'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got 1763600000123456789.5',
    ],
    [
      '{"startTimeUnixNano":"2026-11-20T00:00:00Z"}',
      'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got "2026-11-20T00:00:00Z"',
    ],
    ['{"startTimeUnixNano":""}', 'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got ""'],
    [
      '{"startTimeUnixNano":"1e999"}',
      'startTimeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got "1e999"',
    ],
    ['{"flags":4294967296}', 'flags: expected an unsigned 32-bit integer, got 4294967296'],
    ['{"droppedLinksCount":-1}', 'droppedLinksCount: expected an unsigned 32-bit integer, got -1'],
    ['{"droppedLinksCount":true}', 'droppedLinksCount: expected an unsigned 32-bit integer, got true'],
    [
      '{"events":[{},{"timeUnixNano":{}}]}',
      'events[1].timeUnixNano: expected nanoseconds as an unsigned 64-bit integer, got an object',
    ],
    ['{"links":[{"spanId":"zz"}]}', 'links[0].spanId: expected hex, got "zz"'],
    ['{"attributes":[{"key":1}]}', 'attributes[0].key: expected a string, got 1'],
    ['{"attributes":{"a":"b"}}', 'attributes: expected an array, got an object'],
    ['{"attributes":[{"key":"k","value":"text"}]}', 'attributes[0].value: expected an object, got "text"'],
    ['{"attributes":[{"value":{"stringValue":1}}]}', 'attributes[0].value.stringValue: expected a string, got 1'],
    [
      '{"attributes":[{"value":{"boolValue":"true"}}]}',
      'attributes[0].value.boolValue: expected true or false, got "true"',
    ],
    [
      '{"attributes":[{"value":{"intValue":1e400}}]}',
      'attributes[0].value.intValue: expected a 64-bit integer, got null',
    ],
    ['{"attributes":[{"value":{"intValue":1.5}}]}', 'attributes[0].value.intValue: expected a 64-bit integer, got 1.5'],
    [
      '{"attributes":[{"value":{"intValue":"0x10"}}]}',
      'attributes[0].value.intValue: expected a 64-bit integer, got "0x10"',
    ],
    [
      '{"attributes":[{"value":{"doubleValue":"fast"}}]}',
      'attributes[0].value.doubleValue: expected a number, "NaN", "Infinity" or "-Infinity", got "fast"',
    ],
    ['{"attributes":[{"value":{"bytesValue":"a"}}]}', 'attributes[0].value.bytesValue: expected base64, got "a"'],
    ['{"attributes":[{"value":{"bytesValue":"a$bc"}}]}', 'attributes[0].value.bytesValue: expected base64, got "a$bc"'],
    [
      '{"attributes":[{"value":{"arrayValue":[]}}]}',
      'attributes[0].value.arrayValue: expected an object, got an array',
    ],
    [
      '{"attributes":[{"value":{"arrayValue":{"values":[{"intValue":"x"}]}}}]}',
      'attributes[0].value.arrayValue.values[0].intValue: expected a 64-bit integer, got "x"',
    ],
    [
      '{"attributes":[{"value":{"stringValue":"a","intValue":1}}]}',
      'attributes[0].value: expected one value, got stringValue and intValue',
    ],
  ])('span %s', (text, expected) => {
    expect(messageOf(() => convertSpanText(text))).toBe(`${PREFIX}resourceSpans[0].scopeSpans[0].spans[0].${expected}`);
  });

  test('a request cut at any byte is malformed', () => {
    const whole = JSON.stringify(toOtlpJson(randomRequest(createRandom(3), 1_763_600_000_000_000_000n)));
    const bytes = bytesOf(whole);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(messageOf(() => jsonToRequest(bytes.subarray(0, length)))).toMatch(/^malformed JSON: /);
    }
  });

  test('invalid UTF-8 is named, not replaced', () => {
    const bytes = bytesOf('{"a":"x"}');
    bytes[6] = 0xff;
    expect(messageOf(() => jsonToRequest(bytes))).toBe('malformed JSON: the body is not valid UTF-8');
  });

  const nested = (levels: number): string =>
    '{"arrayValue":{"values":['.repeat(levels - 1) + '{"intValue":1}' + ']}}'.repeat(levels - 1);

  test('values nest as deep as the limit; of those deeper so much is kept that the scan sees it', () => {
    const depthOf = (levels: number): number => {
      let depth = 1;
      for (let value = convertValueText(nested(levels)); value?.arrayValue !== undefined; depth++) {
        value = value.arrayValue.values![0];
      }
      return depth;
    };
    const max = limits.anyValueDepthMax;
    expect([max, max + 1, max + 2, 10_000].map(depthOf)).toEqual([max, max + 1, max + 1, max + 1]);
  });

  test.each([
    ['empty objects', `[${'{},'.repeat(400_000)}{}]`],
    ['numbers', `[${'1,'.repeat(400_000)}1]`],
    ['names', `{${'"ab":1,'.repeat(400_000)}"ab":1}`],
  ])('more %s than OTLP can have are refused before they are made', (_, text) => {
    expect(() => jsonToRequest(bytesOf(`{"resourceSpans":${text}}`))).toThrow('too many for OTLP');
  });

  test.each([['[    '.repeat(1_000_000)], [`${'[    '.repeat(500_000)}1234567890123456789${']'.repeat(500_000)}`]])(
    'hostile nesting is an error, not a crash',
    (text) => {
      expect(messageOf(() => jsonToRequest(bytesOf(text)))).toMatch(/^malformed/);
    },
  );
});
