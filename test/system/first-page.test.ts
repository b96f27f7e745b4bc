// The first page in a real browser (Debian's chromium; skipped by name without it): empty and waiting, the first span, a thousand
// services, hostile names, dark, on a phone, below a prefix, and with a node that has gone. Each picture is kept in build/screenshots/.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendTo } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import type { OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { root } from '../support/source-tree.ts';
import { BROWSER_PATH, openBrowser } from '../support/ui-page.ts';

const pictures = join(root, 'build', 'screenshots');
const PHONE = { width: 360, height: 740 };

/** A trace of one span a service, each the child of the one before. */
function traceOf(id: number, services: readonly string[], failed = ''): OtlpRequest {
  const startNs = BigInt(Date.now()) * 1_000_000n;
  return {
    resourceSpans: services.map((service, i) => {
      const span: OtlpSpan = {
        traceId: Buffer.alloc(16, id),
        spanId: Buffer.from(`span${String(i).padStart(4, '0')}`),
        ...(i === 0 ? {} : { parentSpanId: Buffer.from(`span${String(i - 1).padStart(4, '0')}`) }),
        name: `GET /${service}`,
        kind: 2,
        startTimeUnixNano: startNs + BigInt(i) * 1_000n,
        endTimeUnixNano: startNs + 50_000_000n,
        ...(service === failed ? { status: { code: 2, message: 'sold out' } } : {}),
      };
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
      return { resource, scopeSpans: [{ spans: [span] }] };
    }),
  };
}

/** A page that notes what went wrong in it: exceptions, errors in the console (what its policy refused too), answers of 400 on. */
class Visit implements AsyncDisposable {
  readonly page: Page;
  readonly wrong: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.wrong.push(error.message));
    page.on('console', (message) => message.type() === 'error' && this.wrong.push(message.text()));
    page.on(
      'response',
      (response) => response.status() >= 400 && this.wrong.push(`${response.status()} ${response.url()}`),
    );
    page.on('dialog', (dialog) => this.wrong.push(`dialog ${dialog.message()}`));
  }

  static async begin(url: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Visit> {
    const visit = new Visit(await browser.newPage({ viewport: { width: 1200, height: 900 }, ...options }));
    await visit.page.goto(url);
    return visit;
  }

  async see(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  /** Takes the picture, and expects no error, nothing wider than the window, and nothing that axe finds. */
  async judge(name: string): Promise<void> {
    await this.page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
    expect(this.wrong).toEqual([]);
    const overflow = await this.page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow, 'pixels beyond the window').toBeLessThanOrEqual(0);
    await this.page.evaluate(axeSource);
    const found = await this.page.evaluate('axe.run().then(({ violations }) => violations)');
    const told = (found as { id: string; nodes: { html: string }[] }[]).map(({ id, nodes }) => [
      id,
      nodes.map(({ html }) => html),
    ]);
    expect(told).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
  }
}

let browser: Browser;
let axeSource: string;
const services = ['frontend', 'cart', 'db'];

describe.runIf(existsSync(BROWSER_PATH))('the first page', () => {
  beforeAll(async () => {
    execFileSync(process.execPath, [join(root, 'deploy', 'build-ui.mjs')]);
    mkdirSync(pictures, { recursive: true });
    axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    browser = await openBrowser();
  });
  afterAll(async () => browser?.close());

  test('waits while nothing is stored, and shows the first span when its own curl line is run', async () => {
    await using node = await startNode();
    await using visit = await Visit.begin(`${node.url}/`);
    await visit.see('Waiting for the first span');
    await visit.judge('empty');
    const line = await visit.page.locator('.copyable pre').innerText();
    expect(execFileSync('sh', ['-c', line], { encoding: 'utf8', stdio: 'pipe' })).toContain('200 OK');
    await visit.see('The first span is here');
    await visit.page.locator('.waterfall').getByText('first span').waitFor();
    await visit.judge('first-span');
  });

  test('shows what is stored by day and service, and a trace of each', async () => {
    await using node = await startNode();
    for (const id of [1, 2, 3]) await sendTo(node, traceOf(id, services, id === 3 ? 'cart' : ''));
    await using visit = await Visit.begin(`${node.url}/`);
    await visit.page.getByRole('row', { name: new RegExp(`^${new Date().toISOString().slice(0, 10)} 9 `) }).waitFor();
    await visit.page.getByRole('row', { name: /^cart 3 .* 33\.3 % / }).waitFor();
    await visit.page.getByRole('button', { name: 'cart' }).click();
    await visit.page.locator('.waterfall').getByText('GET /db').waitFor();
    await visit.judge('stored');
    await visit.page.getByText('Send a trace').click();
    for (const name of ['SDK', 'Collector']) {
      await visit.page.getByText(name, { exact: true }).click();
      await visit.page.getByLabel(`${name}: text to copy`).waitFor();
    }
    await visit.judge('collector');
  });

  test.each(['light', 'dark'] as const)(
    'a thousand services in %s: found by name, shown in pages',
    async (colorScheme) => {
      await using node = await startNode();
      await sendTo(
        node,
        traceOf(
          1,
          Array.from({ length: 1_000 }, (_, i) => `service-${String(i).padStart(4, '0')}`),
        ),
      );
      await using visit = await Visit.begin(`${node.url}/`, { colorScheme });
      await visit.see('1,000 services');
      expect(await visit.page.locator('table.services tbody tr').count()).toBe(50);
      await visit.page.getByLabel('Filter').fill('SERVICE-099');
      await visit.see('10 of 1,000 services');
      await visit.page.getByRole('button', { name: 'service-0999' }).click();
      await visit.see('and 960 more');
      await visit.judge(`many-${colorScheme}`);
    },
  );

  test.each([
    ['phone', PHONE],
    ['desk', { width: 1200, height: 900 }],
  ] as const)('hostile names on a %s are text, and fit', async (name, viewport) => {
    await using node = await startNode();
    const hostile = [
      '<img src=x onerror=alert(1)>',
      '"><script>alert(2)</script>',
      'javascript:alert(3)//%0a',
      '\u202egnp.exe',
      'x'.repeat(3_000),
      '{{constructor.constructor("alert(4)")()}}',
      '__proto__',
      ' ',
    ];
    await sendTo(node, traceOf(1, hostile));
    await using visit = await Visit.begin(`${node.url}/`, { viewport });
    await visit.see('8 services');
    for (const service of hostile.slice(0, 3)) await visit.page.getByText(service, { exact: true }).first().waitFor();
    await visit.page.getByRole('button', { name: '__proto__' }).click();
    await visit.page.locator('.waterfall li').nth(7).waitFor();
    await visit.judge(`hostile-${name}`);
  });

  test('on a phone, in the dark, waiting and then not', async () => {
    await using node = await startNode();
    await using visit = await Visit.begin(`${node.url}/`, { viewport: PHONE, colorScheme: 'dark' });
    await visit.see('Waiting for the first span');
    await visit.judge('phone-empty');
    await sendTo(node, traceOf(1, services));
    await visit.see('The first span is here');
    await visit.page.locator('.waterfall li').nth(2).waitFor();
    await visit.judge('phone');
  });

  test('below a prefix, with and without the slash, every link leads to an answer', async () => {
    await using node = await startNode({ flags: ['-http.pathPrefix=/a/b'] });
    await sendTo({ url: `${node.url}/a/b`, grpcAddress: '' }, traceOf(1, services));
    for (const path of ['/a/b', '/a/b/', '/a/b/ui', '/a/b/ui/']) {
      await using visit = await Visit.begin(node.url + path);
      await visit.see('3 services');
      const links = await visit.page
        .locator('a')
        .evaluateAll((found) => found.map((link) => (link as unknown as { href: string }).href));
      for (const link of links) {
        expect(link).toMatch(new RegExp(`^${node.url}/a/b/`));
        expect((await fetch(link)).status, link).toBe(200);
      }
      expect(visit.wrong).toEqual([]);
    }
  });

  test('a node that goes away is told', async () => {
    await using node = await startNode();
    await sendTo(node, traceOf(1, services));
    await using visit = await Visit.begin(`${node.url}/`);
    await visit.see('3 services');
    await node.stop();
    await visit.see('The node does not answer');
    await visit.page.screenshot({ path: join(pictures, 'gone.png'), fullPage: true });
  });
});
