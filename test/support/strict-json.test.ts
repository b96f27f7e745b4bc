import { expect, test } from 'vitest';
import { z } from 'zod';
import { legacySchemas } from './schemas/legacy.ts';
import { metricFamily } from './schemas/metrics.ts';
import { expectShape, integer, number } from './schemas/strict-json.ts';
import { v3Schemas } from './schemas/v3.ts';

test.each(['1.0', '1e15', '0.5', '-1e2', '9007199254740993'])('%s is no integer literal of a browser', (text) => {
  expect(() => expectShape(integer, text, 'it')).toThrow('it: ');
});

test.each(['0', '-42', '9007199254740991'])('%s is an integer literal', (text) => expectShape(integer, text, 'it'));

test.each(['0.5', '1e21', '3'])('%s is a number', (text) => expectShape(z.array(number), `[${text}]`, 'it'));

const span = `{"traceID":"00000000000000ab","spanID":"00000000000000cd","operationName":"op","references":[],"startTime":1,"duration":0,
  "tags":[{"key":"k","type":"float64","value":1.5}],"logs":[],"processID":"p1","warnings":null}`;
const trace = `{"traceID":"00000000000000ab","spans":[${span}],"processes":{"p1":{"serviceName":"s","tags":[]}},"warnings":null}`;
const reply = (data: string): string => `{"data":[${data}],"total":0,"limit":0,"offset":0,"errors":null}`;

test('a sound trace passes', () => expectShape(legacySchemas.traces, reply(trace), 'it'));

/** What clients break on (§2.4, §3.3). */
test.each<[what: string, find: string, put: string]>([
  ['null for a list', '"logs":[]', '"logs":null'],
  ['a fraction for a time', '"startTime":1', '"startTime":1.0'],
  ['an exponent for a duration', '"duration":0', '"duration":1e3'],
  ['a string for a time', '"startTime":1', '"startTime":"1"'],
  ['a number for a string tag', '"float64","value":1.5', '"string","value":1.5'],
  ['a process that is not there', '"processID":"p1"', '"processID":"p2"'],
  ['an id of the wrong length', '"spanID":"00000000000000cd"', '"spanID":"cd"'],
  ['no spans', span, ''],
  ['a field of nobody', '"duration":0', '"duration":0,"extra":1'],
])('%s in a trace fails', (_what, find, put) => {
  expect(trace).toContain(find);
  expect(() => expectShape(legacySchemas.traces, reply(trace.replace(find, put)), 'it')).toThrow('it: ');
});

test.each<[schema: z.ZodType, text: string]>([
  [v3Schemas.services, '{}'],
  [v3Schemas.services, '{"services":null}'],
  [v3Schemas.operations, '{"operations":[{"name":"a"}]}'],
  [
    v3Schemas.summaries,
    '{"summaries":[{"traceId":"00000000000000ab","minStartTimeUnixNano":"1","maxEndTimeUnixNano":"2","spanCount":1,"services":[{"name":"a","spanCount":1}]}]}',
  ],
  [metricFamily('service_call_rate', false), '{"name":"service_call_rate","type":"GAUGE","help":"x"}'],
  [
    metricFamily('service_call_rate', false),
    '{"name":"service_operation_call_rate","type":"GAUGE","help":"x","metrics":[]}',
  ],
])('what the UI refuses is refused: %#', (schema, text) => {
  expect(() => expectShape(schema, text, 'it')).toThrow('it: ');
});
