// Spans of Jaeger's model, made by protobufjs, as requests of OTLP that protobufjs reads.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { jaegerToRequest } from '../../src/otlp/jaeger-to-request.ts';
import { encodeMessage } from '../support/jaeger-messages.ts';
import { decodeRequest, encodeRequest, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';

const TRACE = Buffer.from('0123456789abcdef0123456789abcdef', 'hex');
const OTHER = Buffer.from('f'.repeat(32), 'hex');
const id = (n: number): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, n]);
const text = (key: string, vStr: string): object => ({ key, vType: 0, vStr });
const bytes = (buffer: Buffer): Uint8Array => new Uint8Array(buffer);

const SPAN = {
  traceId: TRACE,
  spanId: id(7),
  operationName: 'GET /',
  references: [
    { traceId: OTHER, spanId: id(1), refType: 0 },
    { traceId: TRACE, spanId: id(2), refType: 0 },
    { traceId: TRACE, spanId: id(3), refType: 1 },
  ],
  flags: 1,
  startTime: { seconds: 1_800_000_000n, nanos: 123_456_789 },
  duration: { seconds: 2n, nanos: 1 },
  tags: [
    text('span.kind', 'client'),
    text('first', 'ä'),
    { key: 'error', vType: 1, vBool: true },
    { key: 'count', vType: 2, vInt64: -5n },
    { key: 'ratio', vType: 3, vFloat64: 0.25 },
    { key: 'raw', vType: 4, vBinary: Buffer.from([0, 255]) },
    { key: 'no', vType: 1, vBool: false },
    text('otel.status_code', 'ERROR'),
    text('otel.status_description', 'broken'),
    text('otel.scope.name', 'lib'),
    text('otel.scope.version', '1.2'),
    text('w3c.tracestate', 'a=b'),
  ],
  logs: [{ timestamp: { seconds: 1_800_000_001n, nanos: 0 }, fields: [text('event', 'retry'), text('why', 'late')] }],
  process: { serviceName: 'shop', tags: [text('hostname', 'h1')] },
};

/** The one span, and what stands around it. */
function converted(span: object): { readonly span: OtlpSpan; readonly request: OtlpRequest } {
  const made = jaegerToRequest(encodeMessage('JaegerSpan', span));
  const request = decodeRequest(made);
  // Canonical, as clients write it.
  expect(Buffer.compare(made, encodeRequest(request))).toBe(0);
  return { request, span: request.resourceSpans![0]!.scopeSpans![0]!.spans![0]! };
}

test('every field of OTLP that Jaeger keeps in a tag is a field again, and every other tag an attribute', () => {
  const { request, span } = converted(SPAN);
  const [resource] = request.resourceSpans!;
  expect(resource!.resource).toEqual({
    attributes: [
      { key: 'service.name', value: { stringValue: 'shop' } },
      { key: 'hostname', value: { stringValue: 'h1' } },
    ],
  });
  expect(resource!.scopeSpans![0]!.scope).toEqual({ name: 'lib', version: '1.2' });
  const link = (traceId: Buffer, spanId: Buffer, ref: string): object => ({
    traceId: bytes(traceId),
    spanId: bytes(spanId),
    attributes: [{ key: 'opentracing.ref_type', value: { stringValue: ref } }],
  });
  expect(span).toEqual({
    traceId: bytes(TRACE),
    spanId: bytes(id(7)),
    traceState: 'a=b',
    parentSpanId: bytes(id(2)),
    name: 'GET /',
    kind: 3,
    startTimeUnixNano: 1_800_000_000_123_456_789n,
    endTimeUnixNano: 1_800_000_002_123_456_790n,
    attributes: [
      { key: 'first', value: { stringValue: 'ä' } },
      { key: 'count', value: { intValue: -5n } },
      { key: 'ratio', value: { doubleValue: 0.25 } },
      { key: 'raw', value: { bytesValue: new Uint8Array([0, 255]) } },
      { key: 'no', value: { boolValue: false } },
    ],
    events: [
      {
        timeUnixNano: 1_800_000_001_000_000_000n,
        name: 'retry',
        attributes: [{ key: 'why', value: { stringValue: 'late' } }],
      },
    ],
    links: [link(OTHER, id(1), 'child_of'), link(TRACE, id(3), 'follows_from')],
    status: { message: 'broken', code: 2 },
  });
});

test.for([
  [[text('otel.status_code', 'OK')], { code: 1 }, []],
  [[{ key: 'error', vType: 1, vBool: true }], { code: 2 }, []],
  [[text('error', 'true')], undefined, ['error']],
  [[text('otel.status_code', 'what')], undefined, ['otel.status_code']],
  [[text('otel.status_description', 'of none')], undefined, ['otel.status_description']],
  [[text('span.kind', 'what')], undefined, ['span.kind']],
] as const)('of %j the status is %j, and an attribute stays %j', ([tags, status, kept]) => {
  const { span } = converted({ ...SPAN, tags });
  expect(span.status).toEqual(status);
  expect((span.attributes ?? []).map(({ key }) => key)).toEqual(kept);
});

test('values that protobuf leaves out are the zero of their type', () => {
  const { span } = converted({ ...SPAN, tags: [0, 1, 2, 3, 4].map((vType) => ({ key: `${vType}`, vType })) });
  expect(span.attributes!.map(({ value }) => value)).toEqual([
    { stringValue: '' },
    { boolValue: false },
    { intValue: 0n },
    { doubleValue: 0 },
    { bytesValue: new Uint8Array(0) },
  ]);
});

test('ids of 64 bits are the lower half, and a span without process has no service', () => {
  const short = TRACE.subarray(8);
  const { request, span } = converted({
    traceId: short,
    spanId: id(1),
    references: [{ traceId: short, spanId: id(2) }],
  });
  expect(span.traceId).toEqual(bytes(Buffer.concat([Buffer.alloc(8), short])));
  expect(span.parentSpanId).toEqual(bytes(id(2)));
  expect(request.resourceSpans![0]!.resource).toEqual({});
  const process = { serviceName: 'OTLPResourceNoServiceName' };
  expect(converted({ ...SPAN, process }).request.resourceSpans![0]!.resource).toEqual({});
});

test('bytes that are no span are refused, whatever they are', () => {
  const whole = encodeMessage('JaegerSpan', SPAN);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
      const damaged = new Uint8Array(whole);
      damaged[at] = value;
      try {
        jaegerToRequest(damaged);
      } catch (error) {
        expect(isStoreError(error, 'INVALID_REQUEST')).toBe(true);
      }
    }),
  );
  expect(() => jaegerToRequest(Buffer.from('{}'))).toThrow(/malformed protobuf/);
});
