// The pages behind the first one, in a real browser: the newest traces of a service, the waterfall of one, with keys and by mouse, on
// a phone, in the dark, below a prefix; and all of them behind a login. Each picture is kept in build/screenshots/.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashPassword } from '../../src/base/password-hash.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { sendTo } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';
import { PHONE, traceOf, Visits, type Visit } from '../support/page-visit.ts';
import { BROWSER_PATH } from '../support/ui-page.ts';

const services = ['frontend', 'cart', 'db'];
/** Machines are busy: this ends what hangs. */
const patience = { timeout: 30_000 };
const idOf = (id: number): string => Buffer.alloc(16, id).toString('hex');

/** A trace of a root and `children` spans below it. */
function wideTrace(id: number, children: number): OtlpRequest {
  const startNs = BigInt(Date.now()) * 1_000_000n;
  const spanId = (i: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(i + 1, 4);
    return bytes;
  };
  const spans = Array.from({ length: children + 1 }, (_, i) => ({
    traceId: Buffer.alloc(16, id),
    spanId: spanId(i),
    ...(i === 0 ? {} : { parentSpanId: spanId(0) }),
    name: `step ${i}`,
    startTimeUnixNano: startNs + BigInt(i) * 1_000n,
    endTimeUnixNano: startNs + BigInt(i + 1_000) * 1_000n,
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'batch' } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

let visits: Visits;

const rowOf = (visit: Visit, name: string | RegExp): Locator => visit.page.getByRole('row', { name });
const chosen = (visit: Visit): Promise<string> => visit.page.locator('[role=row][aria-selected=true]').innerText();

describe.runIf(existsSync(BROWSER_PATH))('the pages of traces', () => {
  beforeAll(async () => {
    visits = await Visits.open();
  });
  afterAll(() => visits[Symbol.asyncDispose]());

  test('lead from a service to its newest traces, narrowed, to one of them, and back', async () => {
    await using node = await startNode();
    for (const id of [1, 2, 3]) await sendTo(node, traceOf(id, services, id === 3 ? 'cart' : ''));
    await using visit = await visits.begin(`${node.url}/`);
    await visit.page.getByRole('link', { name: 'cart' }).click();
    await rowOf(visit, /^frontend GET \/frontend 3 3 1 50 ms/).waitFor();
    expect(await visit.page.evaluate('document.activeElement.tagName')).toBe('MAIN');
    expect(await visit.page.locator('table.traces tbody tr').count()).toBe(3);
    await visit.judge('traces');
    await visit.page.getByLabel('with errors').check();
    await expect.poll(() => visit.page.locator('table.traces tbody tr').count(), patience).toBe(1);
    await visit.page.getByLabel('at least').fill('1h');
    await visit.page.getByLabel('at least').blur();
    await visit.see('No trace meets these conditions.');
    await visit.page.goBack();
    await visit.page.getByRole('link', { name: /GET/ }).click();
    await rowOf(visit, 'error cart GET /cart').waitFor();
    expect(await visit.page.title()).toContain('03030303');
    await visit.page.getByRole('link', { name: 'Tracelith' }).click();
    await visit.see('Stored by service');
    await visit.page.getByLabel('Trace id').fill(idOf(2));
    await visit.page.getByRole('button', { name: 'Open' }).click();
    await visit.see(idOf(2));
    expect(visit.wrong).toEqual([]);
  });

  test('are searched without a service, by tags, and by what is chosen from lists', async () => {
    await using node = await startNode();
    for (const id of [1, 2]) await sendTo(node, traceOf(id, services));
    await sendTo(node, traceOf(3, ['batch job', 'db'], 'batch job'));
    await using visit = await visits.begin(`${node.url}/`, { viewport: PHONE });
    await visit.page.getByRole('link', { name: 'Search traces' }).click();
    const lines = visit.page.locator('table.traces tbody tr');
    await expect.poll(() => lines.count(), patience).toBe(3);
    const type = async (label: string, text: string): Promise<void> => {
      await visit.page.getByLabel(label).fill(text);
      await visit.page.getByLabel(label).press('Enter');
    };
    await type('Tags', 'service.name="batch job" error=true');
    await expect.poll(() => lines.count(), patience).toBe(1);
    await visit.judge('search-phone');
    await type('Tags', '');
    await visit.page.getByLabel('Service').selectOption('cart');
    await expect.poll(() => lines.count(), patience).toBe(2);
    await visit.page.getByLabel('Operation').selectOption('GET /cart');
    await expect.poll(() => visit.page.url(), patience).toContain('operation=GET+%2Fcart');
    await expect.poll(() => lines.count(), patience).toBe(2);
    await sendTo(node, traceOf(4, services));
    await visit.page.getByRole('button', { name: 'Refresh' }).click();
    await expect.poll(() => lines.count(), patience).toBe(3);
    await type('Tags', 'error!=true service.name=~"^fron|^ca"');
    await expect.poll(() => lines.count(), patience).toBe(3);
    await type('Tags', 'error!=true service.name=~"^nobody"');
    await visit.see('No trace meets these conditions.');
    await type('Tags', 'no list');
    expect(await visit.page.getByLabel('Tags').evaluate((input) => input.matches(':invalid'))).toBe(true);
    expect(visit.wrong).toEqual([]);
  });

  test('two conditions that are chosen before the page is drawn again both count', async () => {
    await using node = await startNode();
    for (const id of [1, 2]) await sendTo(node, traceOf(id, services));
    await using visit = await visits.begin(`${node.url}/#/traces?service=cart&tags=no%3Dmatch`);
    await visit.see('No trace meets these conditions.');
    await visit.page.getByRole('option', { name: 'GET /cart' }).waitFor({ state: 'attached' });
    await visit.page.evaluate(`
      const change = (selector, value) => {
        const field = document.querySelector(selector);
        field.value = value;
        field.dispatchEvent(new Event('change', { bubbles: true }));
      };
      change('input[placeholder^="http.status_code"]', '');
      change('label:nth-of-type(2) select', 'GET /cart');
    `);
    await expect.poll(() => visit.page.locator('table.traces tbody tr').count(), patience).toBe(2);
    expect(new URL(visit.page.url()).hash).toBe('#/traces?service=cart&operation=GET+%2Fcart');
    expect(visit.wrong).toEqual([]);
  });

  test('two chosen from the list are compared step by step, the largest difference first', async () => {
    await using node = await startNode();
    await sendTo(node, traceOf(1, services));
    await sendTo(node, traceOf(2, ['frontend', 'cart', 'db', 'mail'], 'mail'));
    await using visit = await visits.begin(`${node.url}/#/traces`);
    const box = (id: number): Locator => visit.page.getByLabel(`compare ${idOf(id)}`);
    await visit.see('Choose two traces to compare them.');
    await box(1).check();
    await box(2).check();
    await visit.judge('traces-chosen');
    await visit.page.getByRole('link', { name: 'Compare the two chosen traces' }).click();
    await visit.see('Two traces compared');
    await visit.page.getByRole('row', { name: /^more errors mail GET \/mail 0 → 1/ }).waitFor();
    expect(await visit.page.locator('table.traces tbody tr').count()).toBe(4);
    expect(visit.page.url()).toContain(`#/compare/${idOf(1)}/${idOf(2)}`);
    await visit.judge('compare');
    await visit.page.setViewportSize(PHONE);
    await visit.judge('compare-phone');
    await visit.page.goto(`${node.url}/#/compare/${idOf(1)}/${idOf(9)}`);
    await visit.see(/The node answers 404/);
  });

  test('are searched by time, by longest duration, and for several tenants; the address says all of it', async () => {
    await using node = await startNode();
    await sendTo(node, traceOf(1, services));
    await sendTo(node, traceOf(2, services), { headers: { AccountID: '7' } });
    await using visit = await visits.begin(`${node.url}/#/traces`);
    const lines = visit.page.locator('table.traces tbody tr');
    await expect.poll(() => lines.count(), patience).toBe(1);
    const type = async (label: string, text: string): Promise<void> => {
      await visit.page.getByLabel(label).fill(text);
      await visit.page.getByLabel(label).press('Enter');
    };
    await type('Tenants', '0:0|7:0');
    await expect.poll(() => lines.count(), patience).toBe(2);
    await visit.page.getByLabel('Started').selectOption('in the last 15 minutes');
    await expect.poll(() => visit.page.url(), patience).toContain('within=15m');
    await expect.poll(() => lines.count(), patience).toBe(2);
    await type('at most', '1ns');
    await visit.see('No trace meets these conditions.');
    await type('at most', '1h');
    await expect.poll(() => lines.count(), patience).toBe(2);
    await visit.page.getByLabel('Started').selectOption('between …');
    await visit.page.getByLabel('until').fill('2001-01-01T00:00:00');
    await visit.page.getByLabel('until').blur();
    await visit.see('No trace meets these conditions.');
    await visit.page.getByLabel('until').fill('2199-01-01T00:00:00');
    await visit.page.getByLabel('until').blur();
    await expect.poll(() => lines.count(), patience).toBe(2);
    await visit.page.getByLabel('from').fill('2001-01-01T00:00:00');
    await visit.page.getByLabel('from').blur();
    await expect.poll(() => visit.page.url(), patience).toContain('from=2001-01-01T00');
    await visit.judge('search-all');
    await visit.page.reload();
    await expect.poll(() => lines.count(), patience).toBe(2);
    expect(await visit.page.getByLabel('until').inputValue()).toMatch(/^2199-01-01T00:00/);
    await visit.page.getByRole('link', { name: /GET/ }).last().click();
    await visit.see('tenant 0:0|7:0');
    await rowOf(visit, /cart GET \/cart/).waitFor();
    expect(visit.wrong).toEqual([]);
  });

  test.each([
    ['light', 'light', { width: 1200, height: 900 }],
    ['phone', 'dark', PHONE],
  ] as const)(
    'a waterfall is read with keys, and shows what its spans carry: %s',
    async (name, colorScheme, viewport) => {
      await using node = await startNode();
      const request = traceOf(5, [...services, 'mail'], 'db');
      Object.assign(request.resourceSpans![2]!.scopeSpans![0]!.spans![0]!, {
        attributes: [
          { key: 'db.statement', value: { stringValue: `SELECT ${'column, '.repeat(400)}` } },
          { key: 'db.rows', value: { intValue: 7n } },
        ],
        events: [{ timeUnixNano: BigInt(Date.now()) * 1_000_000n, name: 'lock', attributes: [] }],
        links: [{ traceId: Buffer.alloc(16, 6), spanId: Buffer.alloc(8, 6) }],
      });
      await sendTo(node, request);
      await using visit = await visits.begin(`${node.url}/#/trace/${idOf(5)}`, { colorScheme, viewport });
      await rowOf(visit, /mail/).waitFor();
      const { keyboard } = visit.page;
      await visit.page.getByRole('treegrid').focus();
      await keyboard.press('ArrowDown');
      expect(await chosen(visit)).toContain('GET /cart');
      await keyboard.press('ArrowLeft');
      await expect.poll(() => visit.page.getByRole('row').count(), patience).toBe(2);
      await keyboard.press('ArrowRight');
      await keyboard.press('ArrowRight');
      expect(await chosen(visit)).toContain('GET /db');
      const details = visit.page.locator('.details');
      await details.getByText('db.rows').waitFor();
      await details.getByText('sold out').waitFor();
      await details.getByText('lock').waitFor();
      await details.getByRole('link', { name: idOf(6) }).waitFor();
      await details.getByRole('button', { name: /all 3,\d{3} characters/ }).click();
      await visit.judge(`trace-${name}`);
      await rowOf(visit, /frontend/).click();
      await visit.page.getByRole('button', { name: 'Next error' }).click();
      expect(await chosen(visit)).toContain('GET /db');
    },
  );

  test('a trace of 100,000 spans scrolls: only what is in sight is in the page', { timeout: 180_000 }, async () => {
    await using node = await startNode();
    await sendTo(node, wideTrace(9, 100_000));
    await using visit = await visits.begin(`${node.url}/#/trace/${idOf(9)}`);
    await visit.see('100,001 spans');
    await visit.page.getByRole('treegrid').focus();
    for (const [key, name] of [
      ['End', 'step 100000'],
      ['PageUp', /step 999\d\d/],
      ['Home', 'step 0'],
    ] as const) {
      await visit.page.keyboard.press(key);
      await expect.poll(() => chosen(visit), patience).toMatch(name);
      expect(await visit.page.getByRole('row').count()).toBeLessThan(100);
    }
    await visit.judge('trace-large');
  });

  test('a trace that is not there, and tags that are none, are told', async () => {
    await using node = await startNode();
    await using visit = await visits.begin(`${node.url}/#/trace/abc`);
    await visit.see('The node answers 404: trace not found');
    await visit.picture('trace-missing');
    await visit.page.goto(`${node.url}/#/traces?tags=no+list`);
    await visit.see('These tags cannot be read: no list.');
  });

  test('below a prefix, from each address of the first page', async () => {
    await using node = await startNode({ flags: ['-http.pathPrefix=/a/b'] });
    await sendTo({ url: `${node.url}/a/b`, grpcAddress: '' }, traceOf(1, services));
    for (const path of ['/a/b/', '/a/b/ui', '/a/b/ui/']) {
      await using visit = await visits.begin(node.url + path);
      await visit.page.getByRole('link', { name: 'cart' }).click();
      await visit.page.locator('table.traces').getByRole('link').click();
      await rowOf(visit, /GET \/db/).waitFor();
      expect(visit.page.url()).toBe(`${node.url}${path}#/trace/${idOf(1)}`);
      expect(visit.wrong).toEqual([]);
    }
  });

  test('what the node warns of is told', async () => {
    await using node = await startNode({ flags: ['-search.maxTraces=2'] });
    for (const id of [1, 2, 3]) await sendTo(node, traceOf(id, services));
    await using visit = await visits.begin(`${node.url}/#/traces?service=cart`);
    await visit.see('The node warns: 20 traces were asked for, at most 2 are given (-search.maxTraces)');
    expect(await visit.page.locator('table.traces tbody tr').count()).toBe(2);
    await visit.judge('warning');
  });

  test('behind a login each sees its tenants, and only an administrator the node', async () => {
    using folder = new TemporaryFolder();
    const file = join(folder.path, 'auth.json');
    const user = (name: string, scopes: string[], tenants: string[]) => ({
      name,
      password: hashPassword(`${name}-secret`),
      scopes,
      tenants,
    });
    const users = [user('ann', ['query'], ['1:0', '2:0']), user('root', ['ingest', 'query', 'admin'], ['*'])];
    writeFileSync(file, JSON.stringify({ users }));
    await using node = await startNode({ flags: [`-auth.config=${file}`] });
    const login = (name: string) => ({ httpCredentials: { username: name, password: `${name}-secret` } });
    const authorization = `Basic ${Buffer.from('root:root-secret').toString('base64')}`;
    for (const [tenant, service] of [
      ['1:0', 'cart'],
      ['3:0', 'secret-service'],
    ] as const)
      await sendTo(node, traceOf(1, [service]), { headers: { authorization, 'x-tenant': tenant } });

    expect((await fetch(`${node.url}/`)).status).toBe(401);
    await using ann = await visits.begin(`${node.url}/`, login('ann'));
    await ann.see('ann has no access to tenant 0:0');
    await ann.picture('login-without-tenant');
    await ann.page.getByLabel('Tenant').fill('1:0');
    await ann.page.getByLabel('Tenant').blur();
    await ann.see('1 service');
    ann.wrong.length = 0; // the tenant that is meant without a name was refused
    const text = await ann.page.locator('body').innerText();
    for (const hidden of ['secret-service', 'auth.config', 'disk free']) expect(text).not.toContain(hidden);
    await ann.judge('login');
    await ann.page.getByRole('link', { name: 'cart' }).click();
    await ann.page.locator('table.traces').getByRole('link').click();
    await rowOf(ann, /GET \/cart/).waitFor();
    expect(ann.page.url()).toContain('tenant=1%3A0');
    await ann.judge('login-trace');

    await using admin = await visits.begin(`${node.url}/#/?tenant=3:0`, login('root'));
    await admin.see('secret-service');
    await admin.see('-auth.config=');
    await admin.judge('login-admin');
  });
});
