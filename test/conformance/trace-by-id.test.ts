// §9.D: GET /api/traces/{id} and its neighbours: what one trace looks like in Jaeger's legacy JSON.
import { afterAll, beforeAll, expect } from 'vitest';
import { ask, exportTrace, force, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { normalSpans, translate } from '../support/jaeger-translation.ts';
import type { JaegerSpan, JaegerTrace, Tag } from '../support/jaeger-view.ts';
import { looseSpans } from '../support/otlp-json-set.ts';
import { toOtlpJson, type OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, RICH_TRACE_ID, spanId } from '../support/rich-trace.ts';
import { check } from './check.ts';
import {
  dayNs,
  goldenOfS1,
  hourNs,
  makeSpan,
  midnightNs,
  millisecondNs,
  noonNs,
  requestOf,
  S1,
  S1_ID,
  S2,
  S2_ID,
  S2_SPANS,
  secondNs,
  traceIdOf,
} from './data-sets.ts';
import { legacyTrace, type Envelope } from './questions.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  await sendTo(node, S1);
});
afterAll(() => node[Symbol.asyncDispose]());

async function send(service: string, spans: OtlpSpan[]): Promise<void> {
  await sendTo(node, requestOf(service, spans));
}

/** The only span of trace `trace`, stored with `more`. */
async function stored(trace: number, more: OtlpSpan): Promise<JaegerSpan> {
  await send('one', [makeSpan(trace, 1, more)]);
  return (await legacyTrace(node, trace.toString(16))).spans[0]!;
}

function tag(key: string, value: unknown, type = 'string'): Tag {
  return { key, type, value };
}

/** Parts of S1's answer, as text. */
function textOfS1(raw = false): Promise<string> {
  return ask(node, `/api/traces/${S1_ID}${raw ? '?raw=true' : ''}`).then(([, , text]) => text);
}

check('D1', async () => {
  const low = Buffer.from('fb2b3cffbe6f7788', 'hex');
  const high = Buffer.from('0a0b0c0d0e0f1011fb2b3cffbe6f7799', 'hex');
  await send('ids', [{ ...makeSpan(1, 1), traceId: Buffer.concat([Buffer.alloc(8), low]) }]);
  await send('ids', [{ ...makeSpan(1, 1), traceId: high }]);
  const base64 = (bytes: Buffer): string[] => {
    const [std, url] = [bytes.toString('base64'), bytes.toString('base64url')];
    return [std, std.replace(/=+$/, ''), url, url.padEnd(std.length, '=')];
  };
  const hex = (bytes: Buffer): string[] => {
    const text = bytes.toString('hex');
    return [text, text.toUpperCase(), text.replace(/^0+/, ''), text.padStart(32, '0')];
  };
  for (const bytes of [low, high]) {
    const spellings = [
      ...hex(bytes),
      ...base64(bytes),
      ...base64(Buffer.concat([Buffer.alloc(16), bytes]).subarray(-16)),
    ];
    for (const id of spellings) {
      const { traceID } = await legacyTrace(node, encodeURIComponent(id));
      expect([id, traceID]).toEqual([id, bytes.toString('hex')]);
    }
  }
});

check('D2', async () => {
  const answer = async (id: string): Promise<unknown> => {
    const [status, , text] = await ask(node, `/api/traces/${id}`);
    return [status, JSON.parse(text)];
  };
  const envelope = { data: null, total: 0, limit: 0, offset: 0 };
  expect(await answer('abcdef0123')).toEqual([404, { ...envelope, errors: [{ code: 404, msg: 'trace not found' }] }]);
  for (const id of ['zz', '1'.repeat(33), '0'.repeat(40)]) {
    const errors = [{ code: 400, msg: expect.stringMatching(/\S/) }];
    expect(await answer(id)).toEqual([400, { ...envelope, errors }]);
  }
});

check('D3', async () => {
  await send('short', [
    makeSpan(0xd30, 1, { links: [{ traceId: traceIdOf(0xd31), spanId: spanId(9) }] }),
    makeSpan(0xd30, 2, { parentSpanId: spanId(1), links: [{ traceId: RICH_TRACE_ID, spanId: spanId(1) }] }),
  ]);
  const trace = await legacyTrace(node, 'd30');
  const id = '0000000000000d30';
  expect([trace.traceID, ...trace.spans.map(({ traceID }) => traceID)]).toEqual([id, id, id]);
  expect(trace.spans.flatMap(({ references }) => references.map(({ traceID }) => traceID))).toEqual([
    '0000000000000d31',
    id,
    S1_ID,
  ]);
  const ids = looseSpans(await exportTrace(node, 'd30')).map(({ span }) => span['traceId']);
  expect(ids).toEqual([id.padStart(32, '0'), id.padStart(32, '0')]);
});

check(
  'D4',
  async () => {
    await sendTo(node, S2);
    const repeating = Array.from({ length: 200 }, (_, i) =>
      makeSpan(0xd40, i % 20 === 0 ? 1 : i + 1, { startTimeUnixNano: noonNs + BigInt(i) * secondNs }),
    );
    await send('repeating', repeating);
    for (const move of [() => Promise.resolve(), () => force(node, 'flush'), () => force(node, 'merge')]) {
      await move();
      const { spans } = await legacyTrace(node, S2_ID);
      expect(new Set(spans.map(({ spanID }) => spanID)).size).toBe(S2_SPANS);
      expect((await legacyTrace(node, 'd40')).spans).toHaveLength(200);
    }
  },
  { timeoutMs: 60_000 },
);

check('D5', async () => {
  const { tags } = await stored(0xd50, {
    attributes: [
      attribute('string', 'x'),
      attribute('bool', { boolValue: false }),
      attribute('int', { intValue: -42n }),
      attribute('large', { intValue: 2n ** 53n }),
      attribute('double', { doubleValue: 72.5 }),
      attribute('nan', { doubleValue: NaN }),
      attribute('infinite', { doubleValue: -Infinity }),
      attribute('bytes', { bytesValue: Uint8Array.of(0, 0, 48, 57) }),
      attribute('list', { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1n }] } }),
      attribute('map', { kvlistValue: { values: [attribute('a', { boolValue: true })] } }),
      attribute('none', {}),
    ],
  });
  expect(new Map(tags.map(({ key, type, value }) => [key, [type, value]]))).toEqual(
    new Map<string, unknown>([
      ['string', ['string', 'x']],
      ['bool', ['bool', false]],
      ['int', ['int64', -42]],
      ['large', ['int64', '9007199254740992']],
      ['double', ['float64', 72.5]],
      ['nan', ['float64', 'NaN']],
      ['infinite', ['float64', '-Inf']],
      ['bytes', ['binary', 'AAAwOQ==']],
      ['list', ['string', '["a",1]']],
      ['map', ['string', '{"a":true}']],
      ['none', ['string', '']],
    ]),
  );
  const golden = JSON.parse(goldenOfS1('rich-trace.json')) as JaegerTrace;
  expect(normalSpans(await legacyTrace(node, S1_ID))).toEqual(normalSpans(golden));
});

check('D6', async () => {
  const startTimeUnixNano = noonNs + 1_999n;
  const span = await stored(0xd60, { startTimeUnixNano, endTimeUnixNano: startTimeUnixNano + 999n });
  expect(span).toMatchObject({ startTime: Number(noonNs / 1_000n) + 1, duration: 0 });
  expect([span.references, span.logs, span.tags, span.warnings]).toEqual([[], [], [], null]);
  for (const text of [await textOfS1(), (await ask(node, '/api/traces/d60'))[2]]) {
    // Integer literals: Grafana decodes them into Go integers.
    const numbers = [...text.matchAll(/"(?:startTime|duration|timestamp|flags)":([^,}]*)/g)].map(
      ([, number]) => number,
    );
    expect(numbers.length).toBeGreaterThan(1);
    for (const number of numbers) expect(number).toMatch(/^\d+$/);
    expect(text).not.toMatch(/"(references|logs|tags|fields)":null/);
  }
});

check('D7', async () => {
  const tagsOf = async (trace: number, code: number): Promise<Tag[]> =>
    (await stored(trace, { status: { code } })).tags;
  expect(await tagsOf(0xd70, 2)).toEqual([tag('otel.status_code', 'ERROR'), tag('error', true, 'bool')]);
  expect(await tagsOf(0xd71, 1)).toEqual([tag('otel.status_code', 'OK')]);
  expect(await tagsOf(0xd72, 0)).toEqual([]);
});

check('D8', async () => {
  const spans = [
    makeSpan(0xd80, 1, {
      kind: 2,
      attributes: [attribute('a', '1'), attribute('b', '2')],
      status: { code: 2, message: 'boom' },
      traceState: 'x=y',
    }),
  ];
  const resource = { attributes: [attribute('service.name', 'ordered')] };
  await sendTo(node, { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'lib', version: '1' }, spans }] }] });
  const [span] = (await legacyTrace(node, 'd80')).spans;
  expect(span!.tags).toEqual([
    tag('otel.scope.name', 'lib'),
    tag('otel.scope.version', '1'),
    tag('a', '1'),
    tag('b', '2'),
    tag('span.kind', 'server'),
    tag('otel.status_code', 'ERROR'),
    tag('error', true, 'bool'),
    tag('otel.status_description', 'boom'),
    tag('w3c.tracestate', 'x=y'),
  ]);
});

check('D9', async () => {
  const refType = (value: string): OtlpSpan['attributes'] => [attribute('opentracing.ref_type', value)];
  const other = { traceId: traceIdOf(0xd91), spanId: spanId(7) };
  const parent = { traceId: traceIdOf(0xd90), spanId: spanId(1) };
  await send('linked', [
    makeSpan(0xd90, 1),
    makeSpan(0xd90, 2, {
      parentSpanId: spanId(1),
      links: [other, { ...other, attributes: refType('child_of')! }, parent],
    }),
    makeSpan(0xd90, 3, { parentSpanId: spanId(1), links: [{ ...parent, attributes: refType('follows_from')! }] }),
    makeSpan(0xd90, 4, { links: [other] }),
  ]);
  const { spans } = await legacyTrace(node, 'd90');
  const references = spans.map((span) =>
    span.references.map(({ refType: type, spanID }) => `${type} ${Number(spanID)}`),
  );
  expect(references).toEqual([
    [],
    // The link to the parent says nothing of its type, so FOLLOWS_FROM, which overrides the parent's.
    ['FOLLOWS_FROM 1', 'FOLLOWS_FROM 7', 'CHILD_OF 7'],
    ['FOLLOWS_FROM 1'],
    ['FOLLOWS_FROM 7'],
  ]);
});

check('D10', async () => {
  const raw = JSON.parse(await textOfS1(true)) as Envelope<JaegerTrace[]>;
  const golden = JSON.parse(goldenOfS1('rich-trace-raw.json')) as JaegerTrace;
  expect(normalSpans(raw.data[0]!)).toEqual(normalSpans(golden));
  for (const { warnings } of raw.data[0]!.spans) expect(warnings).toBeNull();
  expect(
    (JSON.parse(await textOfS1()) as Envelope<JaegerTrace[]>).data[0]!.spans.some(({ warnings }) => warnings),
  ).toBe(true);
  await send('unsorted', [makeSpan(0xda0, 1, { attributes: [attribute('z', '1'), attribute('a', '2')] })]);
  const keys = async (isRaw: boolean): Promise<string[]> =>
    (await legacyTrace(node, 'da0', { raw: isRaw })).spans[0]!.tags.map(({ key }) => key);
  expect([await keys(true), await keys(false)]).toEqual([
    ['z', 'a'],
    ['a', 'z'],
  ]);
});

check('D11', async () => {
  await send('hinted', [
    makeSpan(0xdb0, 1, { startTimeUnixNano: noonNs }),
    makeSpan(0xdb0, 2, { startTimeUnixNano: noonNs + 3n * hourNs }),
  ]);
  const spansWithin = async (startNs: bigint, endNs: bigint, unitNs: bigint): Promise<number> => {
    const [status, , text] = await ask(node, `/api/traces/db0?start=${startNs / unitNs}&end=${endNs / unitNs}`);
    return status === 404 ? 0 : (JSON.parse(text) as Envelope<JaegerTrace[]>).data[0]!.spans.length;
  };
  for (const unitNs of [1_000n, millisecondNs]) {
    expect(await spansWithin(noonNs, noonNs + 4n * hourNs, unitNs)).toBe(2);
    // Covering half of it, and none of it: all or nothing.
    expect([0, 2]).toContain(await spansWithin(noonNs, noonNs + hourNs, unitNs));
    expect([0, 2]).toContain(await spansWithin(midnightNs - dayNs, midnightNs, unitNs));
  }
});

check('D12', async () => {
  const { warnings } = await stored(0xdc0, { parentSpanId: spanId(0xbeef) });
  expect(warnings).toEqual(['parent span ID=000000000000beef is not in the trace; skipping clock skew adjustment']);
});

check('D13', async () => {
  for (const days of [4n, 0n]) {
    await send('late', [makeSpan(0xdd0, Number(days) + 1, { startTimeUnixNano: noonNs - days * dayNs })]);
    await force(node, 'flush');
  }
  for (const move of [() => Promise.resolve(), () => node.restart()]) {
    await move();
    expect((await legacyTrace(node, 'dd0')).spans).toHaveLength(2);
  }
});

// Raw answers are the plain translation of what was sent: the oracle of this directory, checked once against Jaeger's own.
check('D14', async () => {
  const golden = JSON.parse(goldenOfS1('rich-trace-raw.json')) as JaegerTrace;
  expect(translate(toOtlpJson(S1)).get(S1_ID)).toEqual(normalSpans(golden));
  const other = requestOf('other', [makeSpan(0xde0, 1), makeSpan(0xde1, 1), makeSpan(0xde0, 2)]);
  const body = JSON.stringify(toOtlpJson({ resourceSpans: [...S1.resourceSpans!, ...other.resourceSpans!] }));
  for (const headers of [{ 'content-type': 'application/json' }, { 'content-type': 'text/plain;charset=UTF-8' }]) {
    const response = await fetch(`${node.url}/api/transform`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as Envelope<JaegerTrace[]>;
    // Names and durations are those of stored spans: what has none is called what it would be called after a write.
    const expected = translate(JSON.parse(body));
    expect(new Map(data.map((trace) => [trace.traceID, normalSpans(trace)]))).toEqual(expected);
    expect(data.map(({ traceID }) => traceID)).toEqual([...expected.keys()]);
  }
  const bad = await fetch(`${node.url}/api/transform`, { method: 'POST', body: '{"resourceSpans":' });
  const { errors } = (await bad.json()) as Envelope<null>;
  expect([bad.status, errors?.[0]?.msg]).toEqual([400, expect.stringMatching(/^cannot unmarshal OTLP : /)]);
});

check(
  'D15',
  async () => {
    await using own = await startNode();
    const archive = async (id: string): Promise<[number, unknown]> => {
      const reply = await fetch(`${own.url}/api/archive/${id}`, { method: 'POST' });
      return [reply.status, await reply.json()];
    };
    await sendTo(own, requestOf('kept', [makeSpan(0xdeb, 1, { startTimeUnixNano: noonNs - 4n * dayNs })]));
    await sendTo(own, requestOf('dropped', [makeSpan(0xdec, 1, { startTimeUnixNano: noonNs - 4n * dayNs })]));
    const done = { data: [], total: 0, limit: 0, offset: 0, errors: [] };
    expect([await archive('deb'), await archive('deb')]).toEqual([
      [200, done],
      [200, done],
    ]);
    expect(await archive('abcdef')).toMatchObject([404, { errors: [{ code: 404, msg: 'trace not found' }] }]);
    const before = await ask(own, '/api/traces/deb');
    await own.stop();
    // At this start all of the data is too old at once: no clock is believed that says so, unless the operator does.
    const flags = ['-retentionPeriod=2d', '-retention.clockJumpGracePeriod=0s'];
    await using aged = await startNode({ dataPath: own.dataPath, flags });
    expect((await ask(aged, '/api/traces/dec'))[0]).toBe(404);
    expect(await ask(aged, '/api/traces/deb')).toEqual(before);

    await using without = await startNode({ flags: ['-archive.maxDiskSpaceUsageBytes=0'] });
    await sendTo(without, requestOf('kept', [makeSpan(0xdeb, 1)]));
    const refused = await fetch(`${without.url}/api/archive/deb`, { method: 'POST' });
    const { errors } = (await refused.json()) as Envelope<null>;
    expect([refused.status, errors?.[0]?.msg]).toEqual([500, 'archive span storage was not configured']);
  },
  { timeoutMs: 60_000 },
);

check('D16', async () => {
  const attributes = [attribute('service.name', 'same'), attribute('a', '1'), attribute('b', { intValue: 2n })];
  const [first, second, third] = attributes as [(typeof attributes)[0], (typeof attributes)[0], (typeof attributes)[0]];
  const orders = [attributes, [third, first, second], [second, third, first]];
  const resourceSpans = orders.map((order, i) => ({
    resource: { attributes: order },
    scopeSpans: [{ spans: [makeSpan(0xdf0, i + 1)] }],
  }));
  await sendTo(node, { resourceSpans });
  const { spans, processes } = await legacyTrace(node, 'df0');
  expect(spans.map(({ processID }) => processID)).toEqual(['p1', 'p1', 'p1']);
  expect(processes).toEqual({ p1: { serviceName: 'same', tags: [tag('a', '1'), tag('b', 2, 'int64')] } });
});
