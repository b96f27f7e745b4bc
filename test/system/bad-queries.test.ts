// Every parameter of every question wrong in every way, asked of a real node that holds a trace: exact status, media type and
// text (contract/jaeger.md §1.1 to §1.7), the process up, and the right question answered as before.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, search, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { attribute } from '../support/rich-trace.ts';

const nowNs = BigInt(Date.now()) * 1_000_000n;

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  const span = {
    traceId: new Uint8Array(16).fill(0xab),
    spanId: new Uint8Array(8).fill(1),
    name: 'op',
    startTimeUnixNano: nowNs,
    endTimeUnixNano: nowNs + 5_000n,
  };
  await sendTo(node, {
    resourceSpans: [{ resource: { attributes: [attribute('service.name', 's')] }, scopeSpans: [{ spans: [span] }] }],
  });
});
afterAll(async () => {
  expect(await search(node, { service: 's' })).toHaveLength(1);
  expect(await ask(node, '/health')).toEqual([200, 'text/plain; charset=utf-8', 'OK']);
  await node[Symbol.asyncDispose]();
});

function envelope(code: number, msg: string): string {
  return `${JSON.stringify({ data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] })}\n`;
}

const int = (name: string, text: string): string =>
  `unable to parse param '${name}': strconv.ParseInt: parsing "${text}": invalid syntax`;
const range = (name: string, text: string): string =>
  `unable to parse param '${name}': strconv.ParseInt: parsing "${text}": value out of range`;

describe('GET /api/traces', () => {
  const timeRows = ['start', 'end'].flatMap((name): [string, string][] => [
    [`${name}=abc`, int(name, 'abc')],
    [`${name}=1.5`, int(name, '1.5')],
    [`${name}=1e15`, int(name, '1e15')],
    [`${name}=0x10`, int(name, '0x10')],
    [`${name}=%201`, int(name, ' 1')],
    [`${name}=9223372036854775808`, range(name, '9223372036854775808')],
    [`${name}=-9223372036854775809`, range(name, '-9223372036854775809')],
    [`${name}=2026-11-20T00:00:00Z`, int(name, '2026-11-20T00:00:00Z')],
  ]);
  const durationRows = ['minDuration', 'maxDuration'].flatMap((name): [string, string][] => [
    [`${name}=5`, `unable to parse param '${name}': time: missing unit in duration "5"`],
    [`${name}=abc`, `unable to parse param '${name}': time: invalid duration "abc"`],
    [`${name}=1.s5`, `unable to parse param '${name}': time: missing unit in duration "1.s5"`],
    [`${name}=5x`, `unable to parse param '${name}': time: unknown unit "x" in duration "5x"`],
    [`${name}=5ms3`, `unable to parse param '${name}': time: missing unit in duration "5ms3"`],
    [`${name}=-`, `unable to parse param '${name}': time: invalid duration "-"`],
    [`${name}=.s`, `unable to parse param '${name}': time: invalid duration ".s"`],
    [`${name}=9999999h`, `unable to parse param '${name}': time: invalid duration "9999999h"`],
  ]);

  test.each<[string, string]>([
    ...timeRows,
    ...durationRows,
    ['limit=abc', 'strconv.ParseInt: parsing "abc": invalid syntax'],
    ['limit=2147483648', 'strconv.ParseInt: parsing "2147483648": value out of range'],
    ['limit=0', "parameter 'limit' must be at least 1, received: 0"],
    ['limit=-1', "parameter 'limit' must be at least 1, received: -1"],
    ['minDuration=2s&maxDuration=1s', "'maxDuration' should be greater than 'minDuration'"],
    ['tag=k', "malformed 'tag' parameter, expecting key:value, received: k"],
    [
      'tags={"k":1}',
      "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal number into Go value of type string",
    ],
    [
      'tags={"k":true}',
      "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal bool into Go value of type string",
    ],
    [
      'tags=[1]',
      "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal array into Go value of type map[string]string",
    ],
    [
      'tags=notjson',
      "malformed 'tags' parameter, cannot unmarshal JSON: invalid character 'o' in literal null (expecting 'u')",
    ],
    ['tags={"k":"v"', "malformed 'tags' parameter, cannot unmarshal JSON: unexpected end of JSON input"],
    ['raw=maybe', `unable to parse param 'raw': strconv.ParseBool: parsing "maybe": invalid syntax`],
    ['traceID=zz', 'cannot parse traceID param: strconv.ParseUint: parsing "zz": invalid syntax'],
    [
      `traceID=${'a'.repeat(33)}`,
      `cannot parse traceID param: TraceID cannot be longer than 32 hex characters: ${'a'.repeat(33)}`,
    ],
  ])('?service=s&%s is 400', async (query, message) => {
    const escaped = query.replaceAll(/[{}"[\]]/g, encodeURIComponent);
    expect(await ask(node, `/api/traces?service=s&${escaped}`)).toEqual([
      400,
      'application/json',
      envelope(400, message),
    ]);
  });

  test.each(['', '?service=', '?operation=op', '?service=;'])('%s lacks the service', async (query) => {
    expect(await ask(node, `/api/traces${query}`)).toEqual([
      400,
      'application/json',
      envelope(400, "parameter 'service' is required"),
    ]);
  });

  test.each([
    'lookback=custom&unknown=1&&=',
    'minDuration&maxDuration&operation=&tags=&limit=&start=&end=',
    'start=-5&end=9223372036854775807',
    'tag=no%ZZescape',
    'tags={}',
    'raw=T',
    'prettyPrint=false',
  ])('&%s is tolerated', async (query) => {
    const [status, , text] = await ask(node, `/api/traces?service=s&${query.replaceAll(/[{}]/g, encodeURIComponent)}`);
    expect([status, (JSON.parse(text) as { data: unknown[] }).data.length]).toEqual([200, 1]);
  });

  test.each([
    'service=%00',
    `service=${'x'.repeat(10_000)}`,
    'service=s&operation=%ff%fe',
    'service=s&start=9223372036854775807',
    'service=s&end=1',
    'service=s&maxDuration=-1s',
    'service=s&tags=%7B%22__proto__%22%3A%22x%22%2C%22constructor%22%3A%22y%22%7D',
    `service=s&${'tag=a:b&'.repeat(1_000)}`,
  ])('?%.60s finds nothing', async (query) => {
    expect(await ask(node, `/api/traces?${query}`)).toEqual([
      200,
      'application/json',
      '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
    ]);
  });

  test('a query string beyond the bound of headers is 431', async () => {
    const [status] = await ask(node, `/api/traces?service=s&tag=${'x'.repeat(40_000)}`);
    expect(status).toBe(431);
  });
});

describe('by id, names and dependencies', () => {
  const missing = '0000000000000000000000000000abcd';
  test.each<[string, number, string]>([
    ['/api/traces/zz', 400, envelope(400, 'strconv.ParseUint: parsing "zz": invalid syntax')],
    [
      `/api/traces/${'1'.repeat(33)}`,
      400,
      envelope(400, `TraceID cannot be longer than 32 hex characters: ${'1'.repeat(33)}`),
    ],
    [`/api/traces/${missing}`, 404, envelope(404, 'trace not found')],
    ['/api/traces/0', 404, envelope(404, 'trace not found')],
    [`/api/traces/${missing}?start=x`, 400, envelope(400, int('start', 'x'))],
    [
      `/api/traces/${missing}?raw=2`,
      400,
      envelope(400, `unable to parse param 'raw': strconv.ParseBool: parsing "2": invalid syntax`),
    ],
    ['/api/operations', 400, envelope(400, "parameter 'service' is required")],
    ['/api/operations?service=', 400, envelope(400, "parameter 'service' is required")],
    ['/api/dependencies?endTs=abc', 400, envelope(400, int('endTs', 'abc'))],
    ['/api/dependencies?lookback=1h', 400, envelope(400, int('lookback', '1h'))],
    [
      '/api/v3/traces/zz',
      400,
      v3(400, 'malformed parameter trace_id: strconv.ParseUint: parsing "zz": invalid syntax'),
    ],
    [`/api/v3/traces/${missing}`, 404, v3(404, 'No traces found')],
    [
      `/api/v3/traces/${missing}?rawTraces=x`,
      400,
      v3(400, 'malformed parameter rawTraces: strconv.ParseBool: parsing "x": invalid syntax'),
    ],
  ])('%s is %i', async (path, status, text) => {
    for (const prefix of ['', '/select/jaeger'])
      expect(await ask(node, prefix + path)).toEqual([status, 'application/json', text]);
  });

  function v3(httpCode: number, message: string): string {
    return `${JSON.stringify({ error: { httpCode, message } })}\n`;
  }

  test.each(['x', '2026-11-20', '1763600000000000', '2026-13-01T00:00:00Z', '2026-11-20T25:00:00Z'])(
    'a v3 start of %s is 400',
    async (time) => {
      const [status, , text] = await ask(node, `/api/v3/traces/${missing}?startTime=${time}`);
      expect([status, text]).toEqual([
        400,
        expect.stringMatching(/^\{"error":\{"httpCode":400,"message":"malformed parameter startTime: /),
      ]);
    },
  );

  test('an unknown span kind matches nothing', async () => {
    const [, , text] = await ask(node, '/api/operations?service=s&spanKind=nobody');
    expect(text).toBe('{"data":[],"total":0,"limit":0,"offset":0,"errors":null}');
  });

  test.each([
    '/api/nope',
    '/api',
    '/api/services/s',
    '/api/services/operations',
    '/select/jaeger/api/traces/a/b',
    '/api/v3/nope',
  ])('%s is 404 in plain text', async (path) => {
    const [status, type, text] = await ask(node, path);
    expect([status, type]).toEqual([404, expect.stringMatching(/^(text\/plain|application\/json)/)]);
    expect(text).not.toContain('<');
  });
});

describe('tenants and commands', () => {
  test.each([
    ['AccountID', 'x'],
    ['AccountID', '-1'],
    ['ProjectID', '4294967296'],
  ])('header %s: %s is 400 for every question', async (header, value) => {
    const message = `header ${header}: expected a decimal number from 0 to 4294967295, got ${JSON.stringify(value)}`;
    for (const path of [
      '/api/services',
      '/api/operations?service=s',
      '/api/traces?service=s',
      '/api/traces/1',
      '/api/dependencies',
    ]) {
      expect(await ask(node, path, { [header]: value }), path).toEqual([
        400,
        'application/json',
        envelope(400, message),
      ]);
    }
  });

  test('force_merge wants the beginning of a day', async () => {
    const response = await fetch(`${node.url}/internal/force_merge?partition_prefix=2026-11`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('partition_prefix: expected the beginning of a day as YYYYMMDD, got "2026-11"'),
    ]);
  });

  test.each(['/internal/force_flush', '/internal/force_merge', '/v1/traces', '/insert/opentelemetry/v1/traces'])(
    'GET %s changes nothing',
    async (path) => {
      expect((await ask(node, path))[0]).toBeGreaterThanOrEqual(404);
    },
  );
});
