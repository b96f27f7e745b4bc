// Names that restrict an answer, in every form; on every path: test/api/jaeger-http/jaeger-http.test.ts.
import { expect, test } from 'vitest';
import { QueryString } from '../../../src/api/go/query-string.ts';
import { refuseUnknownNarrowing } from '../../../src/api/jaeger/known-params.ts';

const HONOURED = new Set(['query.filter', 'query.serviceName']);
const check = (query: string) => () => refuseUnknownNarrowing(new QueryString(query), HONOURED);

test.each([
  'extra_filters={}',
  'extra_filters[]=a',
  'extra_filters%5B0%5D=a',
  'Extra-Filters=',
  'extra_stream_filters',
  'extra_label=team%3Da',
  'hidden_fields_filters=a',
  'filter=x',
  'stream_filter=x',
  'a=1&b=2;extra_filters=x',
  'extra_filters=%zz',
  'query.unknown=x',
])('%s is refused by name', (query) => {
  expect(check(query)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
});

test.each([
  '',
  'service=a&lookback=1h&x',
  'filtered=1',
  'prefilters=1',
  'extra=1',
  'query.filter=x',
  'query.serviceName=a',
])('"%s" is not', (query) => {
  expect(check(query)).not.toThrow();
});
