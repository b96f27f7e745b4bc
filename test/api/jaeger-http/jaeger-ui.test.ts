// Serving a UI build: a folder of our own with the marks a real one has. The real one is driven in
// test/conformance/browser.test.ts.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadJaegerUi } from '../../../src/api/jaeger-http/jaeger-ui.ts';
import { isStoreError } from '../../../src/base/errors.ts';
import { nodeDisk } from '../../../src/disk/node-disk.ts';
import { openEdgeServers, type EdgeServers, type RawResponse } from '../../support/edge-servers.ts';

const INDEX = `<!doctype html>
<base href="/" data-inject-target="BASE_URL" />
<script>
  // JAEGER_CONFIG_JS
  // the line after it
  const JAEGER_CONFIG = DEFAULT_CONFIG;
  const JAEGER_STORAGE_CAPABILITIES   =  DEFAULT_STORAGE_CAPABILITIES;
  const JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;
  const JAEGER_VERSION = DEFAULT_VERSION;
</script>
`;

let folder: string;
let dir: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-ui-'));
  dir = join(folder, 'build');
  mkdirSync(join(dir, 'static'), { recursive: true });
  writeFileSync(join(dir, 'index.html'), INDEX);
  writeFileSync(join(dir, 'static/index-9SkmOgUD.js'), `let x = 1;${' '.repeat(2_000)}`);
  writeFileSync(join(dir, 'static/logo.svg'), '<svg/>');
  writeFileSync(join(dir, 'static/.secret'), 'hidden');
  writeFileSync(join(folder, 'outside.txt'), 'beyond');
});
afterAll(() => rmSync(folder, { recursive: true }));

function page(configFile = '', base = './'): string {
  const capabilities = { archiveStorage: true, metricsStorage: false };
  return loadJaegerUi({ disk: nodeDisk, dir, configFile, version: '1.2.3', capabilities }).page(base);
}

function configFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('what is put into the page', () => {
  test('capabilities for older and newer UIs, the version, the base; no configuration unless one is given', () => {
    expect(page('', '../')).toBe(
      INDEX.replace('href="/"', 'href="../"')
        .replace(/JAEGER_STORAGE.*/, 'JAEGER_STORAGE_CAPABILITIES = {"archiveStorage":true,"metricsStorage":false};')
        .replace(
          /JAEGER_BACKEND.*/,
          'JAEGER_BACKEND_CAPABILITIES = {"archiveStorage":true,"metricsStorage":false,"searchWithoutServiceName":true,"aiAssistant":false};',
        )
        .replace(
          /JAEGER_VERSION.*/,
          'JAEGER_VERSION = {"gitCommit":"","gitVersion":"tracelith 1.2.3","buildDate":""};',
        ),
    );
  });

  test('a base comes first in a page that makes its own by script', () => {
    const later = join(folder, 'later');
    mkdirSync(join(later, 'static'), { recursive: true });
    writeFileSync(join(later, 'index.html'), '<html><head><script>makeBase()</script></head></html>');
    const capabilities = { archiveStorage: true, metricsStorage: true };
    const ui = loadJaegerUi({ disk: nodeDisk, dir: later, configFile: '', version: '1', capabilities });
    expect(ui.page('./')).toBe('<html><head>\n    <base href="./" /><script>makeBase()</script></head></html>');
  });

  test('a JSON configuration, which cannot end the script', () => {
    const text = page(configFile('ui.json', '{"menu":[{"label":"</script>$&"}]}'));
    expect(text).toContain('const JAEGER_CONFIG = {"menu":[{"label":"\\u003c/script>$&"}]};\n');
  });

  test('a JavaScript configuration, in place of its mark and the line after it', () => {
    const text = page(configFile('ui.js', '\nfunction UIConfig(){\n  return {};\n}\n'));
    expect(text).toContain('<script>\nfunction UIConfig(){\n  return {};\n}\n  const JAEGER_CONFIG = DEFAULT_CONFIG;');
  });

  test.each([
    ['ui.json', '[]', 'expected a JSON object'],
    ['ui.json', '{', 'SyntaxError'],
    ['ui.js', 'let x;', 'expected a function UIConfig()'],
    ['ui.yaml', 'a: b', 'expected a name that ends in .json or .js'],
  ])('%s with %j is refused at the start', (name, text, why) => {
    const file = configFile(name, text);
    let error: unknown;
    try {
      page(file);
    } catch (caught) {
      error = caught;
    }
    expect(isStoreError(error, 'CONFIG')).toBe(true);
    expect(String(error)).toContain(`-jaegerui.config=${file}: `);
    expect(String(error)).toContain(why);
  });

  test('a folder that is no build, or a file that is missing, is named with its flag', async () => {
    await expect(openEdgeServers({ flags: [`-jaegerui.dir=${folder}`] })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(
        /^-jaegerui\.dir=.*: expected the folder into which assets\.tar\.gz of a jaeger-ui release was unpacked: .*index\.html does not exist$/,
      ),
    });
    expect(() => page(join(folder, 'none.json'))).toThrow(
      /^-jaegerui\.config=.*none\.json: .*none\.json does not exist$/,
    );
  });
});

test.each(['index.html', 'static'])(
  'a build whose %s leads out of it is refused; a link to a whole build is one',
  (name) => {
    const linked = mkdtempSync(join(folder, 'linked-'));
    for (const own of ['index.html', 'static']) {
      if (own === name) symlinkSync(join(dir, own), join(linked, own));
      else if (own === 'static') mkdirSync(join(linked, own));
      else writeFileSync(join(linked, own), INDEX);
    }
    const capabilities = { archiveStorage: true, metricsStorage: true };
    const load = (from: string): unknown =>
      loadJaegerUi({ disk: nodeDisk, dir: from, configFile: '', version: '1', capabilities });
    expect(() => load(linked)).toThrow(
      expect.objectContaining({ code: 'CONFIG', message: expect.stringContaining(name) }),
    );
    symlinkSync(dir, join(linked, 'whole'));
    expect(() => load(join(linked, 'whole'))).not.toThrow();
  },
);

describe.each(['', '/x/y'])('H3: served under -http.pathPrefix=%s', (pathPrefix) => {
  let edge: EdgeServers;
  beforeAll(async () => {
    edge = await openEdgeServers({ flags: [`-jaegerui.dir=${dir}`, `-http.pathPrefix=${pathPrefix}`] });
  });
  afterAll(() => edge[Symbol.asyncDispose]());
  const get = (path: string, headers: Record<string, string> = {}): Promise<RawResponse> =>
    edge.send({ method: 'GET', path: pathPrefix + path, headers });

  test.each(['', '/jaeger', '/select/jaeger'])('the page at "%s", also when it is reloaded deep inside', async (at) => {
    for (const path of ['/', '/search?service=a', '/trace/1234', '/trace/a...b', '/dependencies', '/monitor']) {
      const { status, headers, text } = await get(`${at}${path}`);
      expect([path, status, headers['content-type'], headers['cache-control']]).toEqual([
        path,
        200,
        'text/html; charset=utf-8',
        'no-cache',
      ]);
      expect(headers['x-content-type-options']).toBe('nosniff');
      // As a browser resolves it.
      const base = /<base href="(.*?)"/.exec(text)![1]!;
      expect(new URL(base, `http://x${pathPrefix}${at}${path}`).pathname).toBe(`${pathPrefix}${at}/`);
    }
    // Without an archive behind this listener.
    expect((await get(`${at}/`)).text).toContain('{"archiveStorage":false,"metricsStorage":true}');
  });

  test('a mount without its slash leads to the page', async () => {
    for (const at of pathPrefix === '' ? ['/jaeger'] : ['', '/jaeger', '/select/jaeger']) {
      const { status, headers } = await get(at);
      expect([status, headers.location]).toEqual([302, `${pathPrefix}${at}/`]);
    }
  });

  test('files are kept by their hash, others asked for anew; what is not there is 404', async () => {
    const hashed = await get('/jaeger/static/index-9SkmOgUD.js', { 'accept-encoding': 'gzip' });
    expect([hashed.status, hashed.headers['cache-control'], hashed.headers['content-encoding']]).toEqual([
      200,
      'max-age=31536000, immutable',
      'gzip',
    ]);
    const { headers } = await get('/static/logo.svg');
    expect([headers['content-type'], headers['cache-control']]).toEqual(['image/svg+xml', 'no-cache']);
    expect((await get('/static/logo.svg', { 'if-none-match': headers.etag! })).status).toBe(304);
    for (const path of ['/static/no.js', '/static/.secret', '/static/no.js?x']) {
      expect([path, (await get(path, { accept: 'text/html' })).status]).toEqual([path, 404]);
    }
    for (const path of [
      '/static/../index.html',
      '/static/..%2f..%2foutside.txt',
      '/static/%2e%2e/%2e%2e/outside.txt',
    ]) {
      const { status, text } = await get(path);
      expect([path, [403, 404].includes(status), text.includes('beyond')]).toEqual([path, true, false]);
    }
  });

  test('links lead to what is in the folder, not out of it', async () => {
    for (const name of ['in.js', 'out.js', 'out', 'nowhere.js']) rmSync(join(dir, 'static', name), { force: true });
    symlinkSync('index-9SkmOgUD.js', join(dir, 'static/in.js'));
    symlinkSync(join(folder, 'outside.txt'), join(dir, 'static/out.js'));
    symlinkSync(folder, join(dir, 'static/out'));
    symlinkSync('nothing', join(dir, 'static/nowhere.js'));
    expect((await get('/static/in.js')).status).toBe(200);
    for (const path of ['/static/out.js', '/static/out/outside.txt', '/static/nowhere.js', '/static/a%00b']) {
      const { status, text } = await get(path);
      expect([path, [403, 404].includes(status), text.includes('beyond')]).toEqual([path, true, false]);
    }
  });

  test('what is no page stays what it is: API, operators, unknown paths of machines', async () => {
    const unknown = await get('/api/nope', { accept: 'text/html' });
    expect([unknown.status, unknown.text]).toEqual([404, '404 page not found\n']);
    expect((await get('/health')).text).toBe('OK');
    expect((await get('/v1/traces', { accept: 'text/html' })).status).toBe(405);
    expect((await get('/no/such')).status).toBe(404);
    expect((await edge.send({ method: 'POST', path: `${pathPrefix}/search` })).status).toBe(405);
    expect((await edge.send({ method: 'GET', path: '/beside/the/prefix' })).status).toBe(404);
  });

  test('a page of a newer UI is the page, for a browser', async () => {
    const { status, text } = await get('/jaeger/new/page', { accept: 'text/html,*/*;q=0.8' });
    expect([status, text.includes('<base href="../"')]).toEqual([200, true]);
  });
});
