// Jaeger's legacy HTTP API at the socket, over a reader that is a Map: paths, statuses, envelopes, headers. The numbers in
// the names are the checks of contract/jaeger.md §9.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NOW_MS, openJaegerServer, refused, type JaegerServer } from '../../support/jaeger-server.ts';
import type { MapReader } from '../../support/map-reader.ts';
import type { OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, RICH_START_NS, RICH_TRACE, span, spanId, traceOf } from '../../support/rich-trace.ts';

const RICH_HEX = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const LOW = Buffer.from('00000000000000001122334455667788', 'hex');
const PREFIXES = ['', '/select/jaeger', '/jaeger'];
const NOT_FOUND = '{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}\n';

let server: JaegerServer;
let reader: MapReader;
let get: JaegerServer['get'];
let data: JaegerServer['data'];

beforeAll(async () => {
  server = await openJaegerServer();
  ({ reader, get, data } = server);
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => reader.clear());

async function traceIds(path: string): Promise<string[]> {
  return ((await data(path)) as { traceID: string }[]).map(({ traceID }) => traceID);
}

/** A trace of service `service` that starts `secondsAgo` before now, with an id of its own. */
function add(id: number, service: string, secondsAgo = 1, more: OtlpSpan = {}): void {
  const traceId = Buffer.alloc(16, id);
  const startTimeUnixNano = BigInt(NOW_MS - secondsAgo * 1_000) * 1_000_000n;
  const one = { ...span(id), traceId, startTimeUnixNano, endTimeUnixNano: startTimeUnixNano + 5_000n, ...more };
  reader.add(traceOf([one], [attribute('service.name', service)]));
}

describe.each(PREFIXES)('under "%s"', (prefix) => {
  test('B1: services of an empty store', async () => {
    const { status, headers, text } = await get(`${prefix}/api/services`);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(text).toBe('{"data":[],"total":0,"limit":0,"offset":0,"errors":null}');
  });

  test('B2, B3: services are sorted, operations are names without doubles', async () => {
    for (const [i, service] of ['b', 'a', 'b'].entries())
      add(i + 1, service, 1, { name: i === 0 ? 'z' : 'y', kind: i });
    expect((await get(`${prefix}/api/services`)).text).toBe(
      '{"data":["a","b"],"total":2,"limit":0,"offset":0,"errors":null}',
    );
    expect((await get(`${prefix}/api/services/b/operations`)).text).toBe(
      '{"data":["y","z"],"total":2,"limit":0,"offset":0,"errors":null}',
    );
  });

  test('B5: an unknown service has no operations; /api/operations wants a service', async () => {
    expect((await get(`${prefix}/api/services/x/operations`)).text).toBe(
      '{"data":null,"total":0,"limit":0,"offset":0,"errors":null}',
    );
    const { status, text } = await get(`${prefix}/api/operations`);
    expect([status, text]).toEqual([400, refused(400, "parameter 'service' is required")]);
  });

  test('B7: other paths and methods are 404 in plain text', async () => {
    for (const path of [
      '/nope',
      '/',
      '/traces/',
      '/services/',
      '/services/x',
      '/traces/1/2',
      '/v3/nope',
      '/archive/',
    ]) {
      const { status, headers, text } = await get(`${prefix}/api${path}`);
      expect([path, status, headers.get('content-type'), text]).toEqual([
        path,
        404,
        'text/plain; charset=utf-8',
        '404 page not found\n',
      ]);
    }
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const { status, text } = await get(`${prefix}/api/services`, {
        method,
        body: '{',
        headers: { 'content-type': 'application/json' },
      });
      expect([status, text]).toEqual([404, '404 page not found\n']);
    }
  });

  test('D2: a missing trace is 404 with the envelope, a bad id 400', async () => {
    for (const id of ['1', RICH_HEX, '0']) {
      const { status, headers, text } = await get(`${prefix}/api/traces/${id}`);
      expect([status, headers.get('content-type'), text]).toEqual([404, 'application/json', NOT_FOUND]);
    }
    expect(await get(`${prefix}/api/traces/zz`)).toMatchObject({
      status: 400,
      text: refused(400, 'strconv.ParseUint: parsing "zz": invalid syntax'),
    });
    const long = '1'.repeat(33);
    expect(await get(`${prefix}/api/traces/${long}`)).toMatchObject({
      status: 400,
      text: refused(400, `TraceID cannot be longer than 32 hex characters: ${long}`),
    });
  });

  test('E7, E8: a trace as OTLP JSON, and v3’s own errors', async () => {
    reader.add(RICH_TRACE);
    const { status, headers, text } = await get(`${prefix}/api/v3/traces/${RICH_HEX}`);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(text).toContain('{"result":{"resourceSpans":[{"resource":');
    expect(await get(`${prefix}/api/v3/traces/1`)).toMatchObject({
      status: 404,
      text: '{"error":{"httpCode":404,"message":"No traces found"}}\n',
    });
  });
});

describe('names', () => {
  const services = ['a/b', 'a b', 'ü', '100%', 'a+b', 'a//b', 'operations', 'x/operations', '<&>', 'http://h/p?q#f'];

  test.each(services)('B4: operations of %j, escaped', async (service) => {
    add(1, service, 1, { name: '<op>' });
    expect(await data(`/api/services/${encodeURIComponent(service)}/operations`)).toEqual(['<op>']);
  });

  test.each(['a/b', 'a+b', 'a//b', 'x/operations', 'team/app/x'])(
    'B4: operations of %j, slashes as they are',
    async (service) => {
      add(1, service, 1, { name: 'op' });
      expect(await data(`/api/services/${service}/operations`)).toEqual(['op']);
    },
  );

  test('B6: operations with their kinds, all or one', async () => {
    add(1, 's', 1, { name: 'a', kind: 0 });
    add(2, 's', 1, { name: 'b', kind: 2 });
    add(3, 's', 1, { name: 'b', kind: 3 });
    const all = [
      { name: 'a', spanKind: '' },
      { name: 'b', spanKind: 'server' },
      { name: 'b', spanKind: 'client' },
    ];
    expect((await get('/api/operations?service=s')).text).toBe(
      `{"data":${JSON.stringify(all)},"total":3,"limit":0,"offset":0,"errors":null}`,
    );
    expect(await data('/api/operations?service=s&spanKind=server')).toEqual([all[1]]);
    expect(await data('/api/operations?service=s&span_kind=server')).toEqual([all[1]]);
    expect(await data('/api/operations?service=s&spanKind=')).toEqual(all);
    expect(await data('/api/operations?service=s&spanKind=SERVER')).toEqual([]);
    expect((await get('/api/operations?service=x')).text).toBe(
      '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
    );
  });

  test('texts are escaped as Go escapes them', async () => {
    add(1, '<a>&');
    expect((await get('/api/services')).text).toContain('["\\u003ca\\u003e\\u0026"]');
  });
});

describe('search', () => {
  test('C2: the service is required', async () => {
    expect(await get('/api/traces')).toMatchObject({
      status: 400,
      text: refused(400, "parameter 'service' is required"),
    });
  });

  test('C3: the window in any unit, and the last 48 hours without one', async () => {
    add(1, 's', 10);
    add(2, 's', 48 * 3_600 - 1);
    add(3, 's', 48 * 3_600 + 1);
    expect(await traceIds('/api/traces?service=s')).toEqual(['01'.repeat(16), '02'.repeat(16)]);
    const startMs = NOW_MS - 10_000;
    for (const start of [startMs * 1_000, startMs, startMs / 1_000, `${startMs}000000`]) {
      expect(await traceIds(`/api/traces?service=s&start=${start}&end=${start}`)).toEqual(['01'.repeat(16)]);
    }
    expect(await traceIds(`/api/traces?service=s&start=${startMs * 1_000 + 1}`)).toEqual([]);
    expect(await traceIds(`/api/traces?service=s&end=${startMs * 1_000 - 1}&start=1`)).toEqual([
      '02'.repeat(16),
      '03'.repeat(16),
    ]);
  });

  test('C4: the newest of a limit; C6: none is an empty list', async () => {
    for (const id of [1, 2, 3, 4, 5]) add(id, 's', id);
    expect(await traceIds('/api/traces?service=s&limit=2')).toEqual(['01'.repeat(16), '02'.repeat(16)]);
    expect((await get('/api/traces?service=none')).text).toBe(
      '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
    );
    const { status, headers } = await get('/api/traces?service=s&limit=51');
    expect([status, headers.get('tracelith-warnings')]).toEqual([
      200,
      '1: 51 traces were asked for, at most 50 are given (-search.maxTraces)',
    ]);
    expect(await get('/api/traces?service=s&limit=0')).toMatchObject({
      status: 400,
      text: refused(400, "parameter 'limit' must be at least 1, received: 0"),
    });
  });

  test('C9: tags reach the reader as they came', async () => {
    await data(`/api/traces?service=s&tag=k:v:w&tags=${encodeURIComponent('{"error":"true","resource.x":"1"}')}`);
    expect(reader.queries[0]!.tags).toEqual([
      { key: 'k', value: 'v:w' },
      { key: 'error', value: 'true' },
      { key: 'resource.x', value: '1' },
    ]);
    const message = "malformed 'tag' parameter, expecting key:value, received: k";
    expect(await get('/api/traces?service=s&tag=k')).toMatchObject({ status: 400, text: refused(400, message) });
  });

  test('C10: durations are inclusive to the nanosecond', async () => {
    add(1, 's');
    for (const [range, count] of [
      ['minDuration=5us&maxDuration=5us', 1],
      ['minDuration=5001ns', 0],
      ['maxDuration=4999ns', 0],
      ['minDuration=4.5us&maxDuration=5.5us', 1],
    ]) {
      expect([range, (await traceIds(`/api/traces?service=s&${range}`)).length]).toEqual([range, count]);
    }
    const message = `unable to parse param 'minDuration': time: missing unit in duration "5"`;
    expect(await get('/api/traces?service=s&minDuration=5')).toMatchObject({
      status: 400,
      text: refused(400, message),
    });
  });

  test('C14: several ids give the found ones and an error for each missing one', async () => {
    add(1, 's');
    const low = traceOf([span(1, { traceId: LOW })]);
    reader.add(low);
    const { status, text } = await get(
      `/api/traces?traceID=${'02'.repeat(16)}&traceID=${'01'.repeat(16)}&traceID=1122334455667788&traceID=5&traceID=5`,
    );
    expect(status).toBe(200);
    const answer = JSON.parse(text) as { data: { traceID: string }[] };
    expect(answer.data.map(({ traceID }) => traceID)).toEqual(['01'.repeat(16), '1122334455667788']);
    expect(text.slice(text.lastIndexOf('"total"'))).toBe(
      `"total":0,"limit":0,"offset":0,"errors":[{"msg":"trace not found","traceID":"${'02'.repeat(16)}"},{"msg":"trace not found","traceID":"0000000000000005"}]}`,
    );
  });

  test('C15: a trace without spans is left out', async () => {
    reader.add(traceOf([]));
    expect(await data(`/api/traces?traceID=0`)).toEqual([]);
  });

  test('C16, C17: operations are exact, unknown and empty parameters ignored', async () => {
    add(1, 's', 1, { name: 'GET /a+b ü' });
    expect(
      await traceIds(
        `/api/traces?service=s&operation=${encodeURIComponent('GET /a+b ü')}&lookback=1h&x=y&minDuration=&maxDuration&limit=`,
      ),
    ).toEqual(['01'.repeat(16)]);
    expect(await traceIds('/api/traces?service=s&operation=GET')).toEqual([]);
  });

  test('an empty window or a negative duration finds nothing and asks nobody', async () => {
    add(1, 's');
    expect(await data('/api/traces?service=s&start=1763600000000002&end=1763600000000001')).toEqual([]);
    expect(await data('/api/traces?service=s&maxDuration=-1s')).toEqual([]);
    expect(reader.queries).toEqual([]);
  });
});

describe('a trace by id', () => {
  test.each([
    RICH_HEX,
    RICH_HEX.toUpperCase(),
    'obLD1OX2BxgpOktcbX6PkA==',
    'obLD1OX2BxgpOktcbX6PkA',
    encodeURIComponent('obLD1OX2BxgpOktcbX6PkA=='),
  ])('D1: %s', async (id) => {
    reader.add(RICH_TRACE);
    expect(await traceIds(`/api/traces/${id}`)).toEqual([RICH_HEX]);
  });

  test.each(['1122334455667788', '00000000000000001122334455667788', 'ESIzRFVmd4g', 'ESIzRFVmd4g='])(
    'D1, D3: %s',
    async (id) => {
      reader.add(traceOf([span(1, { traceId: LOW, parentSpanId: spanId(2) })]));
      expect(await traceIds(`/api/traces/${id}`)).toEqual(['1122334455667788']);
      expect((await get(`/api/v3/traces/${id}`)).text).toContain('"traceId":"00000000000000001122334455667788"');
    },
  );

  test('D1: base64 with slashes and pluses, escaped or not', async () => {
    const traceId = Buffer.from('fbffbffbffbffbffbffbffbffbffbffb', 'hex');
    reader.add(traceOf([span(1, { traceId })]));
    for (const id of [
      '+/+/+/+/+/+/+/+/+/+/+w==',
      '%2B%2F%2B%2F%2B%2F%2B%2F%2B%2F%2B%2F%2B%2F%2B%2F%2B%2F%2B%2F%2Bw',
      '-_-_-_-_-_-_-_-_-_-_-w',
    ]) {
      expect(await traceIds(`/api/traces/${id}`)).toEqual([traceId.toString('hex')]);
    }
  });

  test('D10, D12: raw=true has no warnings', async () => {
    reader.add(traceOf([span(1, { parentSpanId: spanId(2) })]));
    const warnings = async (query: string): Promise<unknown> =>
      ((await data(`/api/traces/${RICH_HEX}${query}`)) as { spans: { warnings: unknown }[] }[])[0]!.spans[0]!.warnings;
    expect(await warnings('')).toEqual([
      'parent span ID=0000000000000002 is not in the trace; skipping clock skew adjustment',
    ]);
    expect(await warnings('?raw=true')).toBeNull();
    expect(await warnings('?raw=false')).toHaveLength(1);
  });

  test('D11: hints of time in any unit change nothing', async () => {
    reader.add(RICH_TRACE);
    const whole = (await get(`/api/traces/${RICH_HEX}`)).text;
    const us = RICH_START_NS / 1_000n;
    for (const hint of [`start=${us}&end=${us + 1n}`, `start=${us / 1_000n}`, 'start=1&end=2']) {
      expect((await get(`/api/traces/${RICH_HEX}?${hint}`)).text).toBe(whole);
    }
  });

  test('B8: prettyPrint indents by four spaces, prettyPrint=false does not', async () => {
    reader.add(RICH_TRACE);
    const compact = (await get(`/api/traces/${RICH_HEX}?prettyPrint=false`)).text;
    const pretty = (await get(`/api/traces/${RICH_HEX}?prettyPrint=true`)).text;
    expect(pretty).toContain('{\n    "data": [\n        {\n            "traceID": "a1b2');
    expect(JSON.parse(pretty)).toEqual(JSON.parse(compact));
    expect((await get(`/api/services?prettyPrint=1`)).text).toContain('{\n    "data": [\n        "backend",\n');
    expect((await get(`/api/v3/traces/${RICH_HEX}?prettyPrint=1`)).text).toContain('{\n    "result": {\n');
  });

  test('what could not be read of it is told in its warnings, and in its first span’s, which the UI shows', async () => {
    reader.add(traceOf([span(1), span(2, {}, 5n)]));
    reader.warnings = ['block "7" is damaged'];
    type Told = { warnings: string[] | null; spans: { warnings: string[] | null }[] };
    const [trace] = (await data(`/api/traces/${RICH_HEX}`)) as Told[];
    expect([trace!.warnings, ...trace!.spans.map(({ warnings }) => warnings)]).toEqual([
      ['block "7" is damaged'],
      ['block "7" is damaged'],
      null,
    ]);
    const [raw] = (await data(`/api/traces/${RICH_HEX}?raw=1`)) as Told[];
    expect([raw!.warnings, raw!.spans[0]!.warnings]).toEqual([['block "7" is damaged'], null]);
    // Of a search nobody knows which trace the damage is of: the header tells.
    const [searched] = (await data(`/api/traces?service=shop&start=1&end=${NOW_MS}`)) as Told[];
    expect(searched).toMatchObject({ warnings: null, spans: [{ warnings: null }, { warnings: null }] });
  });

  test('HEAD answers like GET, without a body', async () => {
    const { status, text } = await get('/api/services', { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
  });

  test('a trace of 20,000 spans arrives whole', async () => {
    const spans = Array.from({ length: 20_000 }, (_, i) =>
      span(i + 1, { attributes: [attribute('key', 'value'.repeat(5))] }),
    );
    reader.add(traceOf(spans));
    const [trace] = (await data(`/api/traces/${RICH_HEX}`)) as { spans: unknown[] }[];
    expect(trace!.spans.length).toBe(20_000);
  });
});

describe('dependencies', () => {
  beforeEach(() => {
    const calls = (parent: string, child: string, id: number) => ({
      resourceSpans: [
        ...traceOf([{ ...span(id), traceId: Buffer.alloc(16, id) }], [attribute('service.name', parent)])
          .resourceSpans!,
        ...traceOf(
          [{ ...span(id + 1, { parentSpanId: spanId(id) }), traceId: Buffer.alloc(16, id) }],
          [attribute('service.name', child)],
        ).resourceSpans!,
      ],
    });
    reader.add(calls('a', 'b', 1));
    reader.add(calls('a', 'b', 2));
    reader.add(calls('b', 'c', 3));
  });

  test('F1, F2: links with their counts, of a service when asked', async () => {
    const now = `endTs=${NOW_MS}&lookback=604800000`;
    expect((await get(`/api/dependencies?${now}`)).text).toBe(
      '{"data":[{"parent":"a","child":"b","callCount":2},{"parent":"b","child":"c","callCount":1}],"total":0,"limit":0,"offset":0,"errors":null}',
    );
    expect(await data(`/api/dependencies?${now}&service=c`)).toEqual([{ parent: 'b', child: 'c', callCount: 1 }]);
    expect(await data('/api/dependencies?endTs=1000&lookback=1')).toEqual([]);
    expect(await data('/api/dependencies?lookback=-1')).toEqual([]);
  });

  test('F2: the last 24 hours without parameters, 400 for a bad one', async () => {
    await data('/api/dependencies');
    const endNs = BigInt(NOW_MS) * 1_000_000n + 999_999n;
    expect(reader.dependencyRanges).toEqual([[endNs - 999_999n - 86_400_000_000_000n, endNs]]);
    const message = `unable to parse param 'endTs': strconv.ParseInt: parsing "abc": invalid syntax`;
    expect(await get('/api/dependencies?endTs=abc')).toMatchObject({ status: 400, text: refused(400, message) });
  });
});

describe('the other pages of Jaeger UI', () => {
  test('H6: the paths of the newest traces through a service, in a window of its own when start and end are 0', async () => {
    add(1, 'shop', 1, { name: 'buy' });
    for (const path of ['/analytics/v1/dependencies', '/jaeger/api/deep-dependencies']) {
      const { status, text } = await get(`${path}?service=shop&operation=buy&start=0&end=0`);
      expect([status, JSON.parse(text)]).toEqual([
        200,
        {
          dependencies: [
            {
              path: [{ service: 'shop', operation: 'buy' }],
              attributes: [{ key: 'exemplar_trace_id', value: '01'.repeat(16) }],
            },
          ],
        },
      ]);
    }
    const { service, operation, startMinNs, startMaxNs } = reader.queries[0]!;
    expect([service, operation, startMaxNs - startMinNs]).toEqual(['shop', 'buy', 48n * 3_600_000_000_000n + 999_999n]);
    expect((await get('/analytics/v1/dependencies')).status).toBe(400);
  });

  test('quality metrics are an empty page, not an error', async () => {
    const { text } = await get('/api/quality-metrics?hours=48&service=shop');
    expect(JSON.parse(text)).toEqual({
      traceQualityDocumentationLink: '',
      bannerText: null,
      scores: [],
      metrics: [],
      clients: [],
    });
  });
});
