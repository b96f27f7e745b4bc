// The first page over HTTP: what a browser gets, what a person at a terminal gets, below a prefix and beside Jaeger UI.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listedNeeds } from '../../../src/api/access/route-needs.ts';
import { ENDPOINTS, endpointsOf } from '../../../src/api/home/endpoints.ts';
import { loadHome } from '../../../src/api/home/home-page.ts';
import { nodeDisk } from '../../../src/disk/node-disk.ts';
import type { HomeStatus } from '../../../src/ui/home-status.ts';
import { TemporaryFolder } from '../../storage/open-store.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';

const HTML = '<html><head><base href="./" /><script src="./ui/index-abc.js"></script></head></html>';

function buildIn(folder: TemporaryFolder): string {
  mkdirSync(join(folder.path, 'ui'));
  writeFileSync(join(folder.path, 'index.html'), HTML);
  writeFileSync(join(folder.path, 'ui', 'index-abc.js'), 'let built;');
  writeFileSync(join(folder.path, 'ui', 'notes.txt'), 'not served');
  return folder.path;
}

const browse = (edge: EdgeServers, path: string) =>
  edge.send({ method: 'GET', path, headers: { accept: 'text/html,*/*' } });

test('a browser gets the page with a policy that lets nothing else in, at every mount with links that lead back', async () => {
  using folder = new TemporaryFolder();
  await using edge = await openEdgeServers({ uiDir: buildIn(folder) });
  for (const [path, base] of [
    ['/', './'],
    ['/?x=1', './'],
    ['/ui', './'],
    ['/ui/', '../'],
  ] as const) {
    const { status, headers, text } = await browse(edge, path);
    expect([path, status, headers['content-type']]).toEqual([path, 200, 'text/html; charset=utf-8']);
    expect(text).toContain(`<base href="${base}"`);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; /);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache' });
  }
  const script = await browse(edge, '/ui/index-abc.js');
  expect([script.text, script.headers['content-type']]).toEqual(['let built;', 'text/javascript; charset=utf-8']);
  expect(script.headers['cache-control']).toMatch(/immutable/);
  for (const path of ['/ui/notes.txt', '/ui/..%2findex.html', '/ui/index.html', '/ui/../index.html'])
    expect((await browse(edge, path)).status, path).toBe(404);
});

test('a person at a terminal gets the endpoints as text', async () => {
  using folder = new TemporaryFolder();
  await using edge = await openEdgeServers({ uiDir: buildIn(folder), flags: ['-http.pathPrefix=/p'] });
  const { headers, text } = await edge.send({ method: 'GET', path: '/p/', headers: { accept: '*/*' } });
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(text).toContain('POST /p/v1/traces  (OTLP over HTTP, protobuf or JSON)\n');
  const bare = await edge.send({ method: 'GET', path: '/p' });
  expect([bare.status, bare.headers['location']]).toEqual([302, '/p/']);
  expect((await browse(edge, '/')).status).toBe(404);
});

test('beside Jaeger UI the page is at /ui alone', async () => {
  using folder = new TemporaryFolder();
  using ui = new TemporaryFolder();
  mkdirSync(join(ui.path, 'static'));
  writeFileSync(join(ui.path, 'index.html'), '<head></head>JAEGER');
  await using edge = await openEdgeServers({ uiDir: buildIn(folder), flags: [`-jaegerui.dir=${ui.path}`] });
  expect((await browse(edge, '/')).text).toContain('JAEGER');
  expect((await browse(edge, '/ui')).text).toContain('index-abc.js');
  expect(JSON.parse((await browse(edge, '/ui/status.json')).text)).toMatchObject({ hasJaegerUi: true });
});

test('a page that is not built says so, and how to build it', async () => {
  using empty = new TemporaryFolder();
  expect(loadHome(nodeDisk, empty.path)).toBeUndefined();
  await using edge = await openEdgeServers();
  expect((await browse(edge, '/')).text).toContain('not built: run `node deploy/build-ui.mjs`');
});

test('the status is of the tenant that is asked for, and of nobody while the node is not ready', async () => {
  await using edge = await openEdgeServers();
  const status = JSON.parse((await browse(edge, '/ui/status.json')).text) as HomeStatus;
  expect(status).toMatchObject({ version: '0.0.0', services: [] });
  expect((await edge.send({ method: 'GET', path: '/ui/status.json', headers: { 'x-tenant': 'x' } })).status).toBe(400);
  edge.ready.isReady = false;
  expect((await browse(edge, '/ui/status.json')).status).toBe(503);
});

test('with -adminListenAddr, the page tells nothing that is for operators', async () => {
  await using edge = await openEdgeServers({ flags: ['-adminListenAddr=127.0.0.1:0', '-search.maxTraces=77'] });
  const status = JSON.parse((await browse(edge, '/ui/status.json')).text) as HomeStatus;
  expect([status.store, status.flags, status.days]).toEqual([undefined, undefined, undefined]);
  const paths = status.endpoints.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['v1/traces', 'api/traces', 'health']));
  expect(paths.filter((path) => /^(internal|metrics$|flags)/.test(path))).toEqual([]);
  const { text } = await edge.send({ method: 'GET', path: '/' });
  expect([text.includes('/api/traces'), text.includes('/internal/')]).toEqual([true, false]);
});

test('every path that is listed is there', async () => {
  await using edge = await openEdgeServers();
  for (const { method, path } of ENDPOINTS) {
    // An unknown path is 404 for every method, a known one 405 for a method that no route has.
    const asked = `/${path.replace('metrics/*', 'metrics/calls').replace('*', '1')}`;
    const { status, headers } = await edge.send({ method: 'PATCH', path: asked });
    const isJaeger = asked.startsWith('/api/');
    if (isJaeger) expect((await edge.send({ method, path: asked })).text, path).not.toContain('404 page not found');
    else expect([path, status, headers['allow']]).toEqual([path, 405, expect.stringContaining(method)]);
  }
});

/** Rows of the table of needs that the page does not list. */
const NOT_LISTED: Readonly<Record<string, string>> = {
  'POST /ready': 'as GET, which is listed',
  'POST /insert/ready': 'as that',
  'POST /select/ready': 'as that',
  'POST /internal/purge': 'is there with -purge.enable alone, for test suites',
  'POST /internal/partition/fill_log_gaps': 'hides spans unless it is called as docs/operations/log.md says',
  'POST /internal/partition/tenants': 'tools that copy days between nodes ask it',
  'POST /internal/partition/digests': 'as that',
  'POST /internal/partition/traces': 'as that',
  'POST /internal/partition/log': 'as that',
  'POST /internal/partition/write': 'as that',
  'GET /internal/partition/snapshot/file/*': 'as that',
  'GET /analytics/v1/dependencies': 'is what Jaeger UI calls api/deep-dependencies',
  'GET /api/quality-metrics': 'has nothing to say: it keeps a tab of Jaeger UI from showing an error',
  '* /api/*': 'is 404',
  'GET ': 'is the page itself',
  'GET /': 'as that',
  'GET /ui': 'as that',
  'GET /ui/status.json': 'as that',
  'GET /ui/*': 'as that',
  'GET /search': 'is a page of Jaeger UI',
  'GET /trace': 'as that',
  'GET /trace/*': 'as that',
  'GET /dependencies': 'as that',
  'GET /deep-dependencies': 'as that',
  'GET /monitor': 'as that',
  'GET /quality-metrics': 'as that',
  'GET /plexus-demo': 'as that',
  'GET /static/*': 'as that',
};

test('every path of the table of needs is listed, or has a reason why not', () => {
  const listed = ENDPOINTS.map(({ method, path }) => `${method} /${path}`);
  const needs = listedNeeds().filter((row) => row.includes(' '));
  expect(needs.filter((row) => !listed.some((one) => areSame(one, row)))).toEqual(Object.keys(NOT_LISTED));
  expect(listed.filter((one) => !needs.some((row) => areSame(one, row)))).toEqual([]);
});

/** The page has one row for four routes of metrics, and names what the route below api/services/ answers. */
function areSame(listed: string, row: string): boolean {
  return listed === row || isBelow(listed, row) || isBelow(row, listed);
}

function isBelow(path: string, pattern: string): boolean {
  return pattern.endsWith('/*') && path.startsWith(pattern.slice(0, -1));
}

test.each([
  ['a node that stores', {}, ['Ingest', 'Operation', 'Query', 'Stored data']],
  ['a select node', { storesSpans: false, takesSpans: false }, ['Operation', 'Query']],
  ['a node beside -adminListenAddr', { isForOperators: false }, ['Ingest', 'Operation', 'Query']],
  ['a storage node', { takesSpans: false, answersQueries: false }, ['Operation', 'Stored data']],
])('%s lists the paths that it serves', (_what, less, groups) => {
  const served = { isForOperators: true, storesSpans: true, takesSpans: true, answersQueries: true, ...less };
  const listed = endpointsOf(served);
  expect([...new Set(listed.map(({ group }) => group))].toSorted()).toEqual(groups);
  const probed = listed.map(({ path }) => path).filter((path) => /^health|ready|^metrics/.test(path));
  expect(probed).toEqual([
    'health',
    'ready',
    ...(served.takesSpans ? ['insert/ready'] : []),
    ...(served.answersQueries ? ['select/ready'] : []),
    ...(served.isForOperators ? ['metrics'] : []),
  ]);
});
