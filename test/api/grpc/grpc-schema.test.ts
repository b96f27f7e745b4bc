// The schema against definitions of the tests' own, by what one side writes and the other reads.
import { expect, test } from 'vitest';
import { decodeMessage, describedRoot, encodeMessage, methodSchema } from '../../../src/api/grpc/grpc-schema.ts';
import { encodeTraces } from '../../support/otlp-proto.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';

test('a method has its path, its kind and its messages', () => {
  const { path, isStream, request, response } = methodSchema('jaeger.storage.v2.TraceReader', 'FindTraces');
  expect([path, isStream]).toEqual(['/jaeger.storage.v2.TraceReader/FindTraces', true]);
  expect([request.fullName, response.fullName]).toEqual([
    '.jaeger.storage.v2.FindTracesRequest',
    '.opentelemetry.proto.trace.v1.TracesData',
  ]);
});

test('what is described as TracesData reads every field of OTLP', () => {
  const bytes = encodeTraces(RICH_TRACE);
  const type = describedRoot().lookupType('opentelemetry.proto.trace.v1.TracesData');
  expect(Buffer.from(type.encode(type.decode(bytes)).finish()).equals(bytes)).toBe(true);
});

test('64-bit integers and presence survive', () => {
  const { request } = methodSchema('jaeger.storage.v2.TraceReader', 'FindTraceIDs');
  const attributes = [
    { key: 'int', value: { intValue: String(-(2n ** 63n)) } },
    { key: 'empty', value: { stringValue: '' } },
    { key: 'false', value: { boolValue: false } },
    { key: 'none', value: {} },
  ];
  expect(decodeMessage(request, encodeMessage(request, { query: { attributes } }))).toEqual({
    query: { attributes: [{ key: 'int', value: { intValue: -(2n ** 63n) } }, ...attributes.slice(1)] },
  });
});
