// The first page in a real browser (Debian's chromium; skipped by name without it): empty and waiting, the first span, a thousand
// services, hostile names, dark, on a phone, below a prefix, and with a node that has gone. Each picture is kept in build/screenshots/.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendTo } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import { PHONE, traceOf, Visits } from '../support/page-visit.ts';
import { BROWSER_PATH } from '../support/ui-page.ts';

let visits: Visits;
const services = ['frontend', 'cart', 'db'];

describe.runIf(existsSync(BROWSER_PATH))('the first page', () => {
  beforeAll(async () => {
    visits = await Visits.open();
  });
  afterAll(() => visits[Symbol.asyncDispose]());

  test('waits while nothing is stored, and shows the first span when its own curl line is run', async () => {
    await using node = await startNode();
    await using visit = await visits.begin(`${node.url}/`);
    await visit.see('Waiting for the first span');
    await visit.judge('empty');
    const line = await visit.page.locator('.copyable pre').innerText();
    expect(execFileSync('sh', ['-c', line], { encoding: 'utf8', stdio: 'pipe' })).toContain('200 OK');
    await visit.see('The first span is here');
    await visit.page.locator('.glance').getByText('first span').waitFor();
    await visit.judge('first-span');
  });

  test('shows what is stored by day and service, and three ways to send a trace', async () => {
    await using node = await startNode();
    for (const id of [1, 2, 3]) await sendTo(node, traceOf(id, services, id === 3 ? 'cart' : ''));
    await using visit = await visits.begin(`${node.url}/`);
    await visit.page.getByRole('row', { name: new RegExp(`^${new Date().toISOString().slice(0, 10)} 9 `) }).waitFor();
    await visit.page.getByRole('row', { name: /^cart 3 .* 33\.3 % / }).waitFor();
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
      await using visit = await visits.begin(`${node.url}/`, { colorScheme });
      await visit.see('1,000 services');
      expect(await visit.page.locator('table.services tbody tr').count()).toBe(50);
      await visit.page.getByLabel('Filter').fill('SERVICE-099');
      await visit.see('10 of 1,000 services');
      await visit.page.getByRole('link', { name: 'service-0999' }).waitFor();
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
    await using visit = await visits.begin(`${node.url}/`, { viewport });
    await visit.see('8 services');
    for (const service of hostile.slice(0, 3)) await visit.page.getByText(service, { exact: true }).first().waitFor();
    await visit.judge(`hostile-${name}`);
    await visit.page.getByRole('link', { name: '__proto__' }).click();
    await visit.page.locator('table.traces').getByRole('link').click();
    await visit.page.getByRole('row').nth(7).waitFor();
    await visit.judge(`hostile-trace-${name}`);
  });

  test('on a phone, in the dark, waiting and then not', async () => {
    await using node = await startNode();
    await using visit = await visits.begin(`${node.url}/`, { viewport: PHONE, colorScheme: 'dark' });
    await visit.see('Waiting for the first span');
    await visit.judge('phone-empty');
    await sendTo(node, traceOf(1, services));
    await visit.see('The first span is here');
    await visit.page.locator('.glance li').nth(2).waitFor();
    await visit.judge('phone');
  });

  test('below a prefix, with and without the slash, every link leads to an answer', async () => {
    await using node = await startNode({ flags: ['-http.pathPrefix=/a/b'] });
    await sendTo({ url: `${node.url}/a/b`, grpcAddress: '' }, traceOf(1, services));
    for (const path of ['/a/b', '/a/b/', '/a/b/ui', '/a/b/ui/']) {
      await using visit = await visits.begin(node.url + path);
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
    await using visit = await visits.begin(`${node.url}/`);
    await visit.see('3 services');
    await node.stop();
    await visit.see('The node does not answer');
    await visit.picture('gone');
  });
});
