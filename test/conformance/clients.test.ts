// §9.H: whole clients against a node. Grafana is played by its requests (test/support/grafana-datasource.ts), the UI by its
// own in test/conformance/browser.test.ts.
import { afterAll, beforeAll, expect } from 'vitest';
import { ask, askJson, sendTo, type Headers } from '../support/node-client.ts';
import { injected, MADE_UI_SCRIPT, MadeUi } from '../support/made-ui.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { GrafanaDatasource } from '../support/grafana-datasource.ts';
import { looseSpans } from '../support/otlp-json-set.ts';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, spanId } from '../support/rich-trace.ts';
import { check } from './check.ts';
import { pathOf } from './questions.ts';
import { dayNs, hourNs, makeSpan, millisecondNs, nowNs, requestOf, S1, S1_ID, secondNs } from './data-sets.ts';

const nowMs = Number(nowNs / millisecondNs);
const lastHour = { fromMs: nowMs - 3_600_000, toMs: nowMs };
const lastTwoDays = { fromMs: nowMs - 2 * 86_400_000, toMs: nowMs };

let node: TestNode;
let grafana: GrafanaDatasource;
beforeAll(async () => {
  node = await startNode();
  grafana = new GrafanaDatasource(node, { basePath: '/select/jaeger' });
  // Ten traces a minute apart, oldest first; every third is slow, every other has an error.
  for (let i = 0; i < 10; i++) {
    const startTimeUnixNano = nowNs - BigInt(10 - i) * 60n * secondNs;
    const endTimeUnixNano = startTimeUnixNano + (i % 3 === 0 ? secondNs : millisecondNs);
    const status: OtlpSpan = i % 2 === 0 ? { status: { code: 2 } } : {};
    const attributes = [
      attribute('http.status_code', { intValue: i % 2 === 0 ? 500n : 200n }),
      attribute('msg', `a b=${i}`),
    ];
    const root = makeSpan(0xa0 + i, 1, {
      name: 'GET /',
      kind: 2,
      startTimeUnixNano,
      endTimeUnixNano,
      attributes,
      ...status,
    });
    const child = makeSpan(0xa0 + i, 2, {
      name: 'query',
      parentSpanId: spanId(1),
      startTimeUnixNano: startTimeUnixNano + 1n,
    });
    await sendTo(node, requestOf('team/app', [root]));
    await sendTo(node, requestOf('database', [child]));
  }
  await sendTo(node, S1);
});
afterAll(() => node[Symbol.asyncDispose]());

check('H3', async () => {
  using ui = new MadeUi();
  await using own = await startNode({ flags: [`-jaegerui.dir=${ui.dir}`, '-http.pathPrefix=/x/y'] });
  for (const [page, base] of [
    ['/x/y/', '/x/y/'],
    ['/x/y/search?service=a', '/x/y/'],
    [`/x/y/trace/${S1_ID}`, '/x/y/'],
    [`/x/y/select/jaeger/trace/${S1_ID}`, '/x/y/select/jaeger/'],
  ] as const) {
    const [status, type, html] = await ask(own, page, { accept: 'text/html' });
    expect([page, status, type]).toEqual([page, 200, 'text/html; charset=utf-8']);
    const [, href = ''] = /<base href="([^"]*)"/.exec(html) ?? [];
    expect([page, new URL(href, own.url + page).pathname]).toEqual([page, base]);
    const capabilities = { archiveStorage: true, metricsStorage: true };
    expect(injected(html, 'JAEGER_STORAGE_CAPABILITIES')).toEqual(capabilities);
    expect(injected(html, 'JAEGER_BACKEND_CAPABILITIES')).toMatchObject(capabilities);
    expect(injected(html, 'JAEGER_VERSION')).toMatchObject({ gitVersion: expect.stringContaining('tracelith') });
    // What the page loads and asks is relative to its base.
    expect((await ask(own, base + MADE_UI_SCRIPT.slice(2)))[0]).toBe(200);
    expect(await askJson(own, `${base}api/v3/services`)).toEqual({ services: [] });
  }
  expect((await ask(own, '/x/y/api/nope', { accept: 'text/html' }))[0]).toBe(404);
});

check('H6', async () => {
  interface Paths {
    readonly dependencies: readonly {
      readonly path: readonly { readonly service: string; readonly operation: string }[];
      readonly attributes: readonly { readonly key: string; readonly value: string }[];
    }[];
  }
  // The page's own parameters: no window.
  for (const [service, operation] of [
    ['team/app', ''],
    ['database', 'query'],
  ] as const) {
    const path = pathOf('/analytics/v1/dependencies', { service, operation, start: 0, end: 0 });
    const { dependencies } = await askJson<Paths>(node, path);
    expect(dependencies.length).toBeGreaterThan(0);
    for (const { path: calls, attributes } of dependencies) {
      expect(calls).toEqual([
        { service: 'team/app', operation: 'GET /' },
        { service: 'database', operation: 'query' },
      ]);
      expect(attributes.filter(({ key }) => key === 'exemplar_trace_id').length).toBeGreaterThan(0);
    }
  }
  expect(await askJson(node, '/analytics/v1/dependencies?service=nobody&start=0&end=0')).toEqual({ dependencies: [] });
});

check('H7', async () => {
  expect(await grafana.saveAndTest()).toBe('Data source is working');
  expect(await grafana.services()).toEqual(['backend', 'database', 'frontend', 'team/app']);
  expect(await grafana.operations('team/app')).toEqual(['GET /']);
  expect(await grafana.operations('nobody')).toEqual([]);
  const ids = async (form: object): Promise<string[]> =>
    (await grafana.search({ service: 'team/app', ...form }, lastHour)).map(({ traceID }) => traceID.slice(-2));
  expect(await ids({})).toEqual(['a9', 'a8', 'a7', 'a6', 'a5', 'a4', 'a3', 'a2', 'a1', 'a0']);
  expect(await ids({ limit: 3 })).toEqual(['a9', 'a8', 'a7']);
  expect(await ids({ tags: 'error=true http.status_code=500' })).toEqual(['a8', 'a6', 'a4', 'a2', 'a0']);
  expect(await ids({ tags: 'error', limit: 2 })).toEqual(['a8', 'a6']);
  expect(await ids({ tags: 'msg="a b=7"' })).toEqual(['a7']);
  expect(await ids({ operation: 'GET /', minDuration: '1s', maxDuration: '1.2s' })).toEqual(['a9', 'a6', 'a3', 'a0']);
  expect(await ids({ operation: 'none' })).toEqual([]);
  const [newest] = await grafana.search({ service: 'database' }, lastHour);
  expect(newest!.traceName).toBe('team/app: GET /');
});

check('H8', async () => {
  for (const timeParams of [undefined, lastTwoDays]) {
    const trace = await grafana.trace(S1_ID, timeParams);
    const services = Object.values(trace.processes).map(({ serviceName }) => serviceName);
    expect([trace.spans.length, [...new Set(services)].sort()]).toEqual([7, ['backend', 'frontend']]);
  }
  await expect(grafana.trace('abcdef0123')).rejects.toThrow('request failed: 404');
});

check('H9', async () => {
  expect(await grafana.dependencyGraph(lastHour)).toEqual({
    nodes: ['database', 'team/app'],
    edges: [{ id: 'team/app--database', mainStat: 10 }],
  });
  const empty = { fromMs: nowMs - 6 * 86_400_000, toMs: nowMs - 5 * 86_400_000 };
  expect(await grafana.dependencyGraph(empty)).toEqual({ nodes: [], edges: [] });
});

check('H10', async () => {
  // The path of the data source's URL is lost, so everything is asked at the root.
  const atRoot = new GrafanaDatasource(node);
  expect(await atRoot.saveAndTest()).toBe('Data source is working');
  expect(await atRoot.services()).toEqual(await grafana.services());
  expect(await atRoot.operations('team/app')).toEqual(await grafana.operations('team/app'));
  expect(await atRoot.search({ service: 'team/app' }, lastHour)).toEqual(
    await grafana.search({ service: 'team/app' }, lastHour),
  );
  expect(await atRoot.trace(S1_ID)).toEqual(await grafana.trace(S1_ID));
  expect(await atRoot.dependencyGraph(lastHour)).toEqual(await grafana.dependencyGraph(lastHour));
});

check('H11', async () => {
  expect(await grafana.v3('/api/v3/services')).toEqual({ services: await grafana.services() });
  const { operations } = (await grafana.v3('/api/v3/operations?service=team%2Fapp')) as {
    operations: { name: string }[];
  };
  expect(operations.map(({ name }) => name)).toEqual(['GET /']);
  const strings = [attribute('only', 'strings')];
  await sendTo(node, requestOf('plain', [makeSpan(0x811, 1, { attributes: strings, kind: 3, status: { code: 1 } })]));
  const local = (ns: bigint): string =>
    new Date(Number((ns + 2n * hourNs) / millisecondNs)).toISOString().replace('Z', '+02:00');
  const hint = `start_time=${local(nowNs - 3n * dayNs)}&end_time=${local(nowNs)}`;
  const { result } = (await grafana.v3(`/api/v3/traces/811?${hint}`)) as { result: unknown };
  const [{ span }] = looseSpans(result) as [ReturnType<typeof looseSpans>[0]];
  // Its types want integers for these and strings for times.
  expect(span).toMatchObject({ kind: 3, status: { code: 1 }, startTimeUnixNano: expect.stringMatching(/^\d+$/) });
  expect(span['attributes']).toEqual([{ key: 'only', value: { stringValue: 'strings' } }]);
});

check('H12', async () => {
  const tenants: readonly Headers[] = [{ AccountID: '7' }, { AccountID: '7', ProjectID: '1' }, { ProjectID: '7' }];
  for (const [i, headers] of tenants.entries()) {
    const at = { startTimeUnixNano: nowNs - secondNs };
    await sendTo(node, requestOf(`front ${i}`, [makeSpan(0x812, 1, at)]), { headers });
    await sendTo(node, requestOf(`back ${i}`, [makeSpan(0x812, 2, { ...at, parentSpanId: spanId(1) })]), { headers });
  }
  for (const [i, headers] of tenants.entries()) {
    const source = new GrafanaDatasource(node, { basePath: '/select/jaeger', headers });
    expect(await source.services()).toEqual([`back ${i}`, `front ${i}`]);
    expect(await source.operations(`front ${i}`)).toEqual(['op']);
    expect(await source.operations(`front ${i + 1}`)).toEqual([]);
    expect(await source.search({ service: `back ${i + 1}` }, lastHour)).toEqual([]);
    expect(await source.search({ service: `back ${i}` }, lastHour)).toHaveLength(1);
    expect((await source.trace('812')).spans).toHaveLength(2);
    await expect(source.trace(S1_ID)).rejects.toThrow('request failed: 404');
    const { edges } = await source.dependencyGraph(lastHour);
    expect(edges).toEqual([{ id: `front ${i}--back ${i}`, mainStat: 1 }]);
    expect(await askJson(node, '/api/v3/services', headers)).toEqual({ services: [`back ${i}`, `front ${i}`] });
    expect((await ask(node, `/api/v3/traces/${S1_ID}`, headers))[0]).toBe(404);
    const window = 'query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:00:00Z';
    const { summaries } = await askJson<{ summaries: unknown[] }>(node, `/api/v3/trace-summaries?${window}`, headers);
    expect(summaries).toHaveLength(1);
  }
});

check(
  'H13',
  async () => {
    await using killed = await startNode();
    const acknowledged = new Set<number>();
    let isOver = false;
    let next = 0x13_0000;
    const spansPerTrace = 20;
    const write = async (): Promise<void> => {
      while (!isOver) {
        const trace = next++;
        const at = { startTimeUnixNano: nowNs - secondNs };
        const spans = Array.from({ length: spansPerTrace }, (_, i) => makeSpan(trace, i + 1, at));
        if (await isDone(sendTo(killed, requestOf('loaded', spans)))) acknowledged.add(trace);
      }
    };
    // What the UI asks meanwhile.
    const paths = [
      '/api/v3/services',
      '/api/v3/operations?service=loaded',
      '/api/traces?service=loaded&limit=20',
      '/api/traces/130000',
    ];
    const read = async (): Promise<void> => {
      for (let i = 0; !isOver; i++) await isDone(ask(killed, paths[i % paths.length]!));
    };
    const load = Promise.all([...Array.from({ length: 6 }, write), read(), read()]);
    await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(100);
    await killed.kill9();
    isOver = true;
    await load;
    await killed.start();
    for (let trace = 0x13_0000; trace < next; trace++) {
      const [status, , text] = await ask(killed, `/api/traces/${trace.toString(16)}`);
      const spans = status === 200 ? (JSON.parse(text) as { data: { spans: unknown[] }[] }).data[0]!.spans.length : 0;
      expect([trace, spans]).toEqual([trace, spans === 0 && !acknowledged.has(trace) ? 0 : spansPerTrace]);
    }
  },
  { timeoutMs: 60_000 },
);

/** False when the node died on it. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    () => false,
  );
}
