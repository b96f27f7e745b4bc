// §9.H with the real Jaeger UI in a browser (test/support/ui-page.ts): what a person clicks, without a page error and without a
// failed request, at the root and under a prefix. Skipped by name where JAEGER_UI_DIR names no build of the generation.
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startNode, type TestNode } from '../support/node-process.ts';
import { toOtlpJson, type OtlpKeyValue, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { openBrowser, UI_BUILDS, UiPage } from '../support/ui-page.ts';
import { check, checkGroup } from './check.ts';

const attribute = (key: string, text: string): OtlpKeyValue => ({ key, value: { stringValue: text } });
const idOf = (n: number): Uint8Array => Buffer.alloc(16, n);
const hexOf = (n: number): string => Buffer.from(idOf(n)).toString('hex');

/** A trace through three services, `minutesAgo`; cart fails in every third. */
function traceOf(n: number, minutesAgo = 2 * n): OtlpRequest {
  const startMs = Date.now() - minutesAgo * 60_000 - 5_000;
  const span = (id: number, name: string, kind: number, [fromMs, toMs]: readonly [number, number]): OtlpSpan => ({
    traceId: idOf(n),
    spanId: Buffer.alloc(8, id),
    ...(id === 1 ? {} : { parentSpanId: Buffer.alloc(8, id - 1) }),
    name,
    kind,
    startTimeUnixNano: BigInt(startMs + fromMs) * 1_000_000n,
    endTimeUnixNano: BigInt(startMs + toMs) * 1_000_000n,
    attributes: [attribute('order', `${n}`)],
    ...(name === 'GetCart' && n % 3 === 0 ? { status: { code: 2, message: 'sold out' } } : {}),
  });
  const of = (service: string, ...spans: OtlpSpan[]): NonNullable<OtlpRequest['resourceSpans']>[number] => ({
    resource: { attributes: [attribute('service.name', service)] },
    scopeSpans: [{ scope: { name: 'shop-lib' }, spans }],
  });
  return {
    resourceSpans: [
      of('frontend', span(1, 'GET /cart', 2, [0, 60]), span(2, 'call cart', 3, [5, 40])),
      of('cart', span(3, 'GetCart', 2, [8, 38]), span(4, 'SELECT', 3, [10, 30])),
      of('db', span(5, 'query', 2, [12, 28])),
    ],
  };
}

/** Where a UI is mounted: the prefix of the whole server, and the path of the UI. */
const MOUNTS = [
  ['', '/'],
  ['/x/y', '/x/y/select/jaeger/'],
] as const;

/** A node that serves the build in `dir`, with `traces`. */
async function serve(dir: string, prefix: string, traces: readonly OtlpRequest[]): Promise<TestNode> {
  const node = await startNode({ flags: [`-jaegerui.dir=${dir}`, `-http.pathPrefix=${prefix}`] });
  const url = `${node.url}${prefix}/insert/opentelemetry/v1/traces`;
  for (const trace of traces) {
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(url, { method: 'POST', headers, body: JSON.stringify(toOtlpJson(trace)) });
    expect(status).toBe(200);
  }
  return node;
}

function searchOf(service: string): string {
  const endUs = Date.now() * 1_000;
  return `search?service=${service}&limit=20&lookback=1h&start=${endUs - 3_600_000_000}&end=${endUs}`;
}

/** Everything of the UI but its Monitor. */
function driveUi(dir: string, prefix: string, mount: string): void {
  let node: TestNode;
  let browser: Browser;
  let ui: UiPage;
  beforeAll(async () => {
    node = await serve(
      dir,
      prefix,
      [1, 2, 3, 4, 5, 6].map((n) => traceOf(n)),
    );
    browser = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await node[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    ui = await UiPage.open(browser, node.url + mount);
  });
  afterEach(async ({ task }) => {
    await ui.close(`${mount} ${task.name}`);
    expect(ui.wrong).toEqual([]);
  });

  test('search with tags, open a result', async () => {
    await ui.go('');
    await ui.see('Find Traces');
    await ui.go(`${searchOf('frontend')}&tags=${encodeURIComponent('{"order":"3"}')}`);
    await ui.see('1 Trace');
    // A list up to 2.19, a table with a column of errors from 2.20 on.
    await ui.see(/^1( Error)?$/);
    await ui.go(searchOf('frontend'));
    await ui.see('6 Traces');
    await ui.click('frontend: GET /cart');
    await ui.page.waitForURL(`**${mount}trace/**`);
    await ui.see('SELECT');
  });

  test('results as a graph', async () => {
    await ui.go(searchOf('frontend'));
    await ui.see('6 Traces');
    await ui.click('Deep Dependency Graph');
    await ui.see('db');
  });

  // UI 2.14.1 cannot: its own model of a trace has circles, and it fails without asking us.
  test.runIf(UI_BUILDS.new.includes(dir))('results as a file', async () => {
    await ui.go(searchOf('frontend'));
    await ui.see('6 Traces');
    const [download] = await Promise.all([ui.page.waitForEvent('download'), ui.click('Download Results')]);
    const text = readFileSync(await download.path(), 'utf8');
    const { data } = JSON.parse(text) as { data: { spans: unknown[] }[] };
    expect(data.map(({ spans }) => spans.length)).toEqual([5, 5, 5, 5, 5, 5]);
  });

  test('a trace that is reloaded: its spans, and its JSON, adjusted and not, as the page links to it', async () => {
    await ui.go(`trace/${hexOf(3).toUpperCase()}`);
    await ui.see('GetCart');
    await ui.click('GetCart');
    await ui.see('sold out');
    await ui.page.reload();
    await ui.see('GetCart');
    for (const more of ['', '&raw=true']) {
      await ui.go(`api/traces/${hexOf(3)}?prettyPrint=true${more}`);
      expect(await ui.page.textContent('body')).toContain(`"traceID": "${hexOf(3)}"`);
    }
  });

  test('compare two', async () => {
    await ui.go(`trace/${hexOf(1)}...${hexOf(2)}`);
    await ui.see('GetCart');
    expect(await ui.page.getByText('GET /cart').count()).toBeGreaterThan(1);
  });

  test('the system architecture and the deep dependency graph', async () => {
    await ui.go('dependencies');
    await ui.see('frontend');
    await ui.go('deep-dependencies?service=cart&operation=GetCart');
    await ui.see('db');
    expect(ui.asked).toContain(`GET ${mount}analytics/v1/dependencies`);
    await ui.go('quality-metrics?service=cart');
    await ui.page.waitForResponse((response) => response.url().includes('/api/quality-metrics'));
    await ui.page.waitForTimeout(500); // an exception in rendering comes after the answer
  });

  test('archive', async () => {
    await ui.go(`trace/${hexOf(4)}`);
    await ui.click('Archive Trace');
    await ui.see('This trace has been archived.');
    expect((await fetch(`${node.url}${mount}api/archive/${hexOf(4)}`)).status).toBe(200);
  });

  test('upload a file of OTLP', async () => {
    await ui.go('search');
    await ui.click('Upload');
    const buffer = Buffer.from(JSON.stringify(toOtlpJson(traceOf(99))));
    const file = { name: 'trace.json', mimeType: 'application/json', buffer };
    await ui.page.locator('input[type=file]').setInputFiles(file);
    await ui.see('1 Trace');
    expect(ui.asked).toContain(`POST ${mount}api/transform`);
  });

  test('a trace that is not there is an error page that says so', async () => {
    await ui.go(`trace/${'f'.repeat(32)}`);
    await ui.see('trace not found');
    // Every UI reports the 404 in the console, older ones leave a rejected promise too.
    expect(ui.wrong.filter((text) => !/404|trace not found/.test(text))).toEqual([]);
    ui.wrong.length = 0;
  });
}

const timeout = 120_000;

checkGroup('H1', { canRun: UI_BUILDS.new.length > 0, timeoutMs: timeout }, () => {
  describe.each(UI_BUILDS.new.flatMap((dir) => MOUNTS.map((mount) => [dir, ...mount] as const)))(
    '%s below "%s", at %s',
    (dir, prefix, mount) => {
      driveUi(dir, prefix, mount);
    },
  );
});

checkGroup('H2', { canRun: UI_BUILDS.old.length > 0, timeoutMs: timeout }, () => {
  describe.each(UI_BUILDS.old.flatMap((dir) => MOUNTS.map((mount) => [dir, ...mount] as const)))(
    '%s below "%s", at %s',
    (dir, prefix, mount) => {
      driveUi(dir, prefix, mount);
    },
  );

  test.each(UI_BUILDS.old)('%s: traces by id on the search page', async (dir) => {
    await using node = await serve(dir, '', [traceOf(1), traceOf(2)]);
    await withPage(node, async (ui) => {
      await ui.go(`search?traceID=${hexOf(1)}&traceID=${hexOf(2)}`);
      await ui.see('2 Traces');
    });
  });
});

check(
  'H4',
  async () => {
    for (const dir of UI_BUILDS.new) {
      await using node = await serve(dir, '', [traceOf(1), traceOf(2)]);
      await withPage(node, async (ui) => {
        await ui.go(searchOf('__all_services__'));
        await ui.see('2 Traces');
      });
    }
  },
  { canRun: UI_BUILDS.new.length > 0, timeoutMs: timeout },
);

check(
  'H5',
  async () => {
    for (const dir of [...UI_BUILDS.new, ...UI_BUILDS.old]) {
      await using node = await serve(
        dir,
        '',
        [1, 2, 3, 4, 5, 6].map((n) => traceOf(n)),
      );
      await withPage(node, async (ui) => {
        await ui.go('monitor');
        await ui.see('Operations metrics under');
        await ui.see('GetCart');
        await ui.see(/^3\d(\.\d+)?\s?ms$/);
        for (const metric of ['latencies', 'calls', 'errors']) expect(ui.asked).toContain(`GET /api/metrics/${metric}`);
        expect(await ui.page.getByText('No Data').count()).toBe(0);
      });
      // A day ago: a service to choose, and nothing in the last hour.
      await using quiet = await serve(dir, '', [traceOf(1, 24 * 60)]);
      await withPage(quiet, async (ui) => {
        await ui.go('monitor');
        await ui.see('No Data');
      });
    }
  },
  { canRun: UI_BUILDS.new.length + UI_BUILDS.old.length > 0, timeoutMs: 2 * timeout },
);

/** One page on the UI of `node`; nothing may go wrong in it. */
async function withPage(node: TestNode, use: (ui: UiPage) => Promise<void>): Promise<void> {
  const browser = await openBrowser();
  try {
    const ui = await UiPage.open(browser, `${node.url}/`);
    await use(ui);
    expect(ui.wrong).toEqual([]);
  } finally {
    await browser.close();
  }
}
