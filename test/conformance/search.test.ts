// §9.C: GET /api/traces with every parameter, as Jaeger v2.20 answers it.
import { afterAll, beforeAll, expect } from 'vitest';
import { ask, askJson, force, search, searchPath, sendTo, type SearchTerms } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import type { JaegerTrace } from '../support/jaeger-view.ts';
import type { OtlpKeyValue, OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, spanId } from '../support/rich-trace.ts';
import { check } from './check.ts';
import {
  dayNs,
  hasS0,
  hourNs,
  makeSpan,
  microsecondNs,
  midnightNs,
  noonNs,
  nowNs,
  requestOf,
  S0,
  secondNs,
  sendS0,
  traceIdOf,
} from './data-sets.ts';
import { foundIds, pathOf, type Envelope } from './questions.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  await sendS0(node);
});
afterAll(() => node[Symbol.asyncDispose]());

/** Yesterday, whole. */
const yesterday = { startNs: midnightNs, endNs: midnightNs + dayNs };
const yesterdayUs = { start: midnightNs / 1_000n, end: (midnightNs + dayNs) / 1_000n };

async function send(service: string, spans: OtlpSpan[], resource: OtlpKeyValue[] = []): Promise<void> {
  await sendTo(node, requestOf(service, spans, resource));
}

/** Short ids of what is found yesterday, sorted. */
async function find(terms: SearchTerms): Promise<string[]> {
  return (await foundIds(node, searchPath({ ...yesterday, ...terms }))).sort();
}

/** Status and message of a search that is refused. */
async function refusal(query: string): Promise<[number, string]> {
  const [status, , text] = await ask(node, `/api/traces?${query}`);
  const { data, errors } = JSON.parse(text) as Envelope<unknown>;
  expect(data).toBeNull();
  return [status, errors?.[0]?.msg ?? ''];
}

check(
  'C1',
  async () => {
    expect(S0.queries).toHaveLength(25);
    for (const { caption, terms, expected } of S0.queries) {
      const found = (await search(node, terms)).map(({ traceID }) => traceID.padStart(32, '0'));
      expect(found.sort(), caption).toEqual(expected.map(({ traceId }) => traceId).sort());
    }
  },
  { canRun: hasS0 },
);

check('C2', async () => {
  expect(await refusal('limit=20')).toEqual([400, "parameter 'service' is required"]);
});

check('C3', async () => {
  const starts = [nowNs - 3n * secondNs, nowNs - hourNs, nowNs - 47n * hourNs, nowNs - 49n * hourNs];
  await send(
    'window',
    starts.map((startTimeUnixNano, i) => makeSpan(0xc30 + i, 1, { startTimeUnixNano })),
  );
  expect(await foundIds(node, '/api/traces?service=window')).toEqual(['c30', 'c31', 'c32']);
  const start = (starts[2]! / secondNs) * secondNs;
  const end = (starts[1]! / secondNs + 1n) * secondNs;
  for (const unitNs of [1_000n, 1_000_000n, secondNs, 1n]) {
    const path = pathOf('/api/traces', { service: 'window', start: start / unitNs, end: end / unitNs });
    expect([unitNs, await foundIds(node, path)]).toEqual([unitNs, ['c31', 'c32']]);
  }
  // To the microsecond, both ends included.
  const at = starts[1]! / microsecondNs;
  const ids = async (from: bigint, to: bigint): Promise<string[]> =>
    await foundIds(node, pathOf('/api/traces', { service: 'window', start: from, end: to }));
  expect([await ids(at, at), await ids(at + 1n, at + 9n), await ids(at - 9n, at - 1n)]).toEqual([['c31'], [], []]);
});

check('C4', async () => {
  const spans = Array.from({ length: 10 }, (_, i) =>
    makeSpan(0xc40 + i, 1, {
      startTimeUnixNano: noonNs + BigInt((i * 7) % 10) * secondNs,
      attributes: [attribute('parity', i % 2 === 0 ? 'even' : 'odd')],
    }),
  );
  await send('limited', spans);
  const newestEven = [0, 2, 4, 6, 8].sort((a, b) => ((b * 7) % 10) - ((a * 7) % 10)).map((i) => `c4${i}`);
  for (const limit of [1, 2, 4, 5, 20]) {
    const path = searchPath({ service: 'limited', tags: { parity: 'even' }, limit, ...yesterday });
    expect(await foundIds(node, path)).toEqual(newestEven.slice(0, limit));
  }
});

check(
  'C5',
  async () => {
    await send('haystack', [makeSpan(0xc5, 1, { attributes: [attribute('rare', 'needle')] })]);
    const pieces = 20;
    for (let piece = 0; piece < pieces; piece++) {
      const spans = Array.from({ length: 100_000 / pieces }, (_, i) => {
        const id = piece * 5_000 + i;
        const startTimeUnixNano = noonNs + BigInt(id + 1) * 100n * microsecondNs;
        return makeSpan(0xc500_000 + id, 1, { startTimeUnixNano, attributes: [attribute('rare', `straw ${id}`)] });
      });
      await send('haystack', spans);
    }
    const terms = { service: 'haystack', tags: { rare: 'needle' }, limit: 20 };
    expect(await find(terms)).toEqual(['c5']);
    await force(node, 'merge');
    expect(await find(terms)).toEqual(['c5']);
  },
  { timeoutMs: 90_000 },
);

check('C6', async () => {
  for (const query of ['service=nobody', 'service=window&operation=none', 'service=window&tags={"no":"where"}']) {
    const answer = await askJson<Envelope<unknown>>(node, `/api/traces?${query}`);
    expect(answer).toEqual({ data: [], total: 0, limit: 0, offset: 0, errors: null });
  }
});

check('C7', async () => {
  const made: OtlpSpan[] = [
    { status: { code: 2 } },
    { attributes: [attribute('error', { boolValue: true })] },
    { attributes: [attribute('error', { boolValue: false })] },
    { status: { code: 1 } },
    {},
  ];
  await send(
    'errors',
    made.map((more, i) => makeSpan(0xc70 + i, 1, more)),
  );
  expect(await find({ service: 'errors', tags: { error: 'true' } })).toEqual(['c70', 'c71']);
  expect(await find({ service: 'errors', tags: { error: 'false' } })).toEqual(['c72', 'c73', 'c74']);
});

check('C8', async () => {
  const values = [{ intValue: 123n }, { doubleValue: 72.5 }, { boolValue: true }, { stringValue: '123' }];
  await send(
    'typed',
    values.map((value, i) => makeSpan(0xc80 + i, 1, { attributes: [attribute('k', value)] })),
  );
  const table: [string, string[]][] = [
    ['123', ['c80', 'c83']],
    ['72.5', ['c81']],
    ['true', ['c82']],
    ['123.0', []],
    ['True', []],
    ['72.50', []],
  ];
  for (const [text, ids] of table)
    expect([text, await find({ service: 'typed', tags: { k: text } })]).toEqual([text, ids]);
});

check('C9', async () => {
  await send('tagged', [makeSpan(0xc90, 1, { attributes: [attribute('k', 'v:w')] })]);
  const path = pathOf('/api/traces', { service: 'tagged', tag: 'k:v:w', ...yesterdayUs });
  expect(await foundIds(node, path)).toEqual(['c90']);
  expect(await refusal('service=tagged&tag=k')).toEqual([
    400,
    "malformed 'tag' parameter, expecting key:value, received: k",
  ]);
  for (const tags of ['{"k":1}', 'notjson']) {
    expect(await refusal(`service=tagged&tags=${tags}`)).toEqual([
      400,
      expect.stringMatching(/^malformed 'tags' parameter, cannot unmarshal JSON: ./),
    ]);
  }
});

check('C10', async () => {
  const lengths = [4_499n, 4_500n, 5_000n, 5_500n, 5_501n];
  await send(
    'lasting',
    lengths.map((length, i) => makeSpan(0xca0 + i, 1, { startTimeUnixNano: noonNs, endTimeUnixNano: noonNs + length })),
  );
  const ids = async (minDuration: string, maxDuration: string): Promise<string[]> =>
    (
      await foundIds(node, pathOf('/api/traces', { service: 'lasting', minDuration, maxDuration, ...yesterdayUs }))
    ).sort();
  expect(await ids('4.5us', '5.5us')).toEqual(['ca1', 'ca2', 'ca3']);
  expect(await ids('4499ns', '4.499µs')).toEqual(['ca0']);
  expect(await ids('5.501us', '')).toEqual(['ca4']);
  expect(await ids('', '4.499us')).toEqual(['ca0']);
  expect(await refusal('service=lasting&minDuration=5')).toEqual([
    400,
    `unable to parse param 'minDuration': time: missing unit in duration "5"`,
  ]);
  expect(await refusal('service=lasting&minDuration=2s&maxDuration=1s')).toEqual([
    400,
    "'maxDuration' should be greater than 'minDuration'",
  ]);
});

check('C11', async () => {
  const long = { endTimeUnixNano: noonNs + secondNs };
  await send('split', [
    makeSpan(0xcb0, 1, { name: 'a', attributes: [attribute('x', '1')] }),
    makeSpan(0xcb0, 2, { name: 'b', attributes: [attribute('y', '2')], ...long }),
    makeSpan(0xcb1, 1, { name: 'a', attributes: [attribute('x', '1'), attribute('y', '2')], ...long }),
  ]);
  for (const terms of [
    { tags: { x: '1', y: '2' } },
    { operation: 'a', tags: { y: '2' } },
    { operation: 'a', minNs: 900_000_000 },
    { tags: { x: '1' }, minNs: 900_000_000 },
  ]) {
    expect(await find({ service: 'split', ...terms }), JSON.stringify(terms)).toEqual(['cb1']);
  }
});

check(
  'C12',
  async () => {
    const query = S0.queries.find(({ expected }) => expected.some(({ name }) => name === 'multi_index_trace'))!;
    const [trace] = await search(node, query.terms);
    expect(trace!.spans).toHaveLength(2);
    const days = trace!.spans.map(({ startTime }) => Math.floor(startTime / 86_400_000_000));
    expect(Math.abs(days[0]! - days[1]!)).toBe(1);
  },
  { canRun: hasS0 },
);

check('C13', async () => {
  const early = { startTimeUnixNano: noonNs - 5n * hourNs };
  await send('caller', [makeSpan(0xcd0, 1)]);
  await send('callee', [makeSpan(0xcd0, 2, { parentSpanId: spanId(1) }), makeSpan(0xcd0, 3, early)]);
  const found = await search(node, { service: 'caller', startNs: noonNs, endNs: noonNs + secondNs });
  expect(found.map(({ spans }) => spans.map(({ spanID }) => spanID.slice(-1)).sort())).toEqual([['1', '2', '3']]);
});

check('C14', async () => {
  const missing = 'ffffffffffffffff0000000000000001';
  const path = `/api/traces?traceID=cd0&traceID=${missing}`;
  const { data, errors } = await askJson<Envelope<JaegerTrace[]>>(node, path);
  expect(data.map(({ traceID }) => traceID)).toEqual(['0000000000000cd0']);
  expect(errors).toEqual([{ msg: 'trace not found', traceID: missing }]);
});

check('C15', async () => {
  const { data: services } = await askJson<Envelope<string[]>>(node, '/api/services');
  let traces = 0;
  for (const service of services) {
    const path = pathOf('/api/traces', {
      service,
      limit: 50,
      start: (midnightNs - dayNs) / 1_000n,
      end: nowNs / 1_000n,
    });
    for (const trace of (await askJson<Envelope<JaegerTrace[]>>(node, path)).data) {
      expect(trace.spans.length).toBeGreaterThan(0);
      for (const { processID } of trace.spans) expect(trace.processes[processID]).toBeDefined();
      traces++;
    }
  }
  expect(traces).toBeGreaterThan(50);
});

check('C16', async () => {
  const names = ['GET /cart items', 'a+b', 'žluť 🐎', '100%'];
  const special: OtlpSpan = {
    kind: 2,
    status: { code: 2, message: 'boom' },
    traceState: 'x=y',
    events: [{ name: 'retry' }],
  };
  const scopeSpans = [
    {
      scope: { name: 'lib', version: '1.2', attributes: [attribute('zone', 'scope')] },
      spans: [makeSpan(0xc160, 1, special)],
    },
    { scope: {}, spans: names.map((name, i) => makeSpan(0xc161 + i, 1, { name })) },
    {
      scope: {},
      spans: [
        makeSpan(0xc16a, 1, {
          links: [{ traceId: traceIdOf(1), spanId: spanId(1), attributes: [attribute('zone', 'link')] }],
        }),
      ],
    },
  ];
  const resource = { attributes: [attribute('service.name', 'fields'), attribute('k', 'of resource')] };
  await sendTo(node, { resourceSpans: [{ resource, scopeSpans }] });
  const tagged: Record<string, string> = {
    'span.kind': 'server',
    'span.status': 'ERROR',
    'otel.status_code': 'ERROR',
    'otel.status_description': 'boom',
    'otel.scope.name': 'lib',
    'otel.library.version': '1.2',
    'scope.version': '1.2',
    'w3c.tracestate': 'x=y',
    event: 'retry',
    zone: 'scope',
  };
  for (const [key, value] of Object.entries(tagged)) {
    expect([key, await find({ service: 'fields', tags: { [key]: value } })]).toEqual([key, ['c160']]);
  }
  expect(await find({ service: 'fields', tags: { 'resource.k': 'of resource' } })).toHaveLength(6);
  expect(await find({ service: 'fields', tags: { zone: 'link' } })).toEqual(['c16a']);
  for (const [i, name] of names.entries()) {
    expect([name, await find({ service: 'fields', operation: name })]).toEqual([name, [`c16${1 + i}`]]);
    expect(await find({ service: 'fields', operation: name.toUpperCase().slice(0, -1) })).toEqual([]);
  }
});

check('C17', async () => {
  const base = `service=split&start=${yesterdayUs.start}&end=${yesterdayUs.end}`;
  const ignored = [
    'lookback=1h',
    'lookback=custom',
    'view=ddg&x=%zz',
    'minDuration=',
    'minDuration&maxDuration',
    'operation=',
  ];
  const [, , expected] = await ask(node, `/api/traces?${base}`);
  for (const more of ignored) {
    const [status, , text] = await ask(node, `/api/traces?${base}&${more}`);
    expect([more, status, text === expected]).toEqual([more, 200, true]);
  }
});

check('C18', async () => {
  const values = ['red', 'reddish', 'blue', '~re.*'];
  const request = requestOf(
    'expressions',
    values.map((value, i) => makeSpan(0xc180 + i, 1, { attributes: [attribute('k', value), attribute('k!', 'v')] })),
  );
  await using on = await startNode({ flags: ['-search.tagExpressions'] });
  for (const target of [node, on]) await sendTo(target, request);
  const ids = async (target: TestNode, tags: Record<string, string>): Promise<string[]> =>
    (await foundIds(target, searchPath({ service: 'expressions', ...yesterday, tags }))).sort();
  expect(await ids(on, { k: '~^re.*' })).toEqual(['c180', 'c181']);
  expect(await ids(on, { k: '~^red$' })).toEqual(['c180']);
  expect(await ids(on, { 'k!': 'red' })).toEqual(['c181', 'c182', 'c183']);
  expect(await ids(on, { 'k!': '~red' })).toEqual(['c182', 'c183']);
  // As a backtracking engine would not come back from.
  expect(await ids(on, { k: '~(r+)+$(x*)*$' })).toEqual([]);
  const [status, , text] = await ask(on, pathOf('/api/traces', { service: 'expressions', tags: '{"k":"~("}' }));
  expect([status, (JSON.parse(text) as Envelope<null>).errors?.[0]?.msg]).toEqual([
    400,
    expect.stringContaining('RE2'),
  ]);
  // Literally, where the extension is off.
  expect(await ids(node, { k: '~re.*' })).toEqual(['c183']);
  expect(await ids(node, { 'k!': 'v' })).toHaveLength(4);
  expect(await ids(node, { 'k!': 'red' })).toEqual([]);
});
