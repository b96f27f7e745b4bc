// The pictures of the pages: node native-bench/picture.ts starts a node, sends it two days of the shop workload, and takes the first page,
// a list of traces, a trace and two compared into docs/pictures/ with Debian's chromium (CHROMIUM names another browser).
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { HttpClient } from './harness/http-client.ts';
import { driveLoad } from './harness/load.ts';
import { startNode } from './harness/node-process.ts';
import { trafficStream } from './harness/traffic.ts';

const spansSent = 60_000;
const twoDaysSeconds = 2 * 86_400;
const root = fileURLToPath(new URL('..', import.meta.url));
const pictures = join(root, 'docs', 'pictures');

execFileSync(process.execPath, [join(root, 'deploy', 'build-ui.mjs')]);
const folder = mkdtempSync(join(tmpdir(), 'tracelith-picture-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const node = await startNode({ dataPath: join(folder, 'data'), grpc: false });
try {
  using client = new HttpClient(node.url, 4);
  const traffic = { profile: 'shop', frames: undefined, seed: 1, batch: 500, overSeconds: twoDaysSeconds } as const;
  const frames = trafficStream(traffic, spansSent);
  const next = () => frames.next().value;
  await driveLoad({ client, path: '/v1/traces', connections: 4, seconds: Infinity, rate: 0, next });
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  page.setDefaultTimeout(120_000);
  mkdirSync(pictures, { recursive: true });
  const take = async (name: string): Promise<void> => {
    await page.screenshot({ path: join(pictures, name) });
    console.log(`written: ${join(pictures, name)}`);
  };
  await page.goto(`${node.url}/`);
  await page.getByRole('link', { name: 'checkout' }).waitFor();
  await take('first-page.png');
  await page.getByRole('link', { name: 'checkout' }).click();
  await page.locator('table.traces').getByRole('link').first().waitFor();
  await take('traces.png');
  await page.getByLabel('with errors').check();
  await page.locator('table.traces .error').nth(1).waitFor();
  await page.locator('table.traces').getByRole('link').first().click();
  await page.getByRole('button', { name: 'Next error' }).click();
  await page.mouse.move(0, 0);
  await take('trace.png');
  await page.goBack();
  for (const at of [0, 1])
    await page
      .getByRole('checkbox', { name: /^compare / })
      .nth(at)
      .check();
  await page.getByRole('link', { name: 'Compare the two chosen traces' }).click();
  await page.getByRole('row').nth(1).waitFor();
  await take('compare.png');
  await browser.close();
} finally {
  await node.child.stop();
}
