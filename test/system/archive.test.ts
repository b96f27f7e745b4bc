// D15 on the real program: an archived trace outlives its day, kill -9, and the machine (backup and restore).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readMetrics, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';

const root = new URL('../../', import.meta.url).pathname;
const hasTools = ['rsync', 'curl'].every((tool) => spawnSync(tool, ['--version']).status === 0);
const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');

function traceOf(id: number, ...spanNumbers: number[]): OtlpRequest {
  const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
  const spans = spanNumbers.map((n) => ({
    traceId: Buffer.alloc(16, id),
    spanId: Buffer.alloc(8, n),
    name: `op-${n}`,
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 5_000n,
    attributes: [{ key: 'n', value: { intValue: BigInt(n) } }],
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

const hexOf = (id: number): string => Buffer.alloc(16, id).toString('hex');

async function ask(node: TestNode, path: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const response = await fetch(node.url + path, { method });
  return { status: response.status, text: await response.text() };
}

/** The day is gone, as after retention. */
async function dropToday(node: TestNode): Promise<void> {
  expect((await ask(node, `/internal/partition/detach?name=${today}`, 'POST')).status).toBe(200);
  rmSync(join(node.dataPath, 'partitions', today), { recursive: true });
}

test('an archived trace is served by every path that takes an id, when its day is gone and after kill -9', async () => {
  await using node = await startNode();
  await sendTo(node, traceOf(1, 1, 2));
  await sendTo(node, traceOf(2, 3));
  const paths = [`/select/jaeger/api/traces/${hexOf(1)}`, `/api/v3/traces/${hexOf(1)}`, `/api/archive/${hexOf(1)}`];
  expect((await ask(node, `/api/archive/${hexOf(1)}`, 'POST')).status).toBe(200);
  const before = await Promise.all(paths.map((path) => ask(node, path)));
  expect(before.map(({ status }) => status)).toEqual([200, 200, 200]);
  await node.kill9();
  await node.start();
  await dropToday(node);
  expect(await Promise.all(paths.map((path) => ask(node, path)))).toEqual(before);
  expect((await ask(node, `/api/traces/${hexOf(2)}`)).status).toBe(404);
  expect((await ask(node, `/api/archive/${hexOf(2)}`, 'POST')).status).toBe(404);
  expect((await readMetrics(node)).get('tracelith_archive_traces')).toBe(1);

  // What comes later is joined with it.
  await node.restart();
  await sendTo(node, traceOf(1, 9));
  expect((await ask(node, paths[0]!)).text).toMatch(/op-1.*op-2.*op-9/s);
  expect((await ask(node, `/api/archive/${hexOf(1)}`, 'DELETE')).status).toBe(200);
  expect((await ask(node, paths[0]!)).text).not.toMatch(/op-1/);
});

test.skipIf(!hasTools)('the archive is backed up and restored with the days', { timeout: 60_000 }, async () => {
  await using node = await startNode();
  await using fresh = await startNode();
  await sendTo(node, traceOf(1, 1, 2));
  await ask(node, `/api/archive/${hexOf(1)}`, 'POST');
  const { text } = await ask(node, `/api/traces/${hexOf(1)}`);
  const backup = mkdtempSync(join(tmpdir(), 'tracelith-archive-'));
  try {
    const run = (script: string, ...args: string[]): string => {
      const { status, stderr } = spawnSync(join(root, 'deploy/backup', script), args, { encoding: 'utf8' });
      expect([status, stderr]).toEqual([0, stderr]);
      return stderr;
    };
    expect(run('backup.sh', '--to', backup, '--url', node.url)).toContain('archive: 1 files copied');
    await sendTo(fresh, traceOf(7, 7));
    await dropToday(fresh);
    await fresh.restart();
    run('restore.sh', '--from', backup, '--data', fresh.dataPath, '--url', fresh.url, '--all');
    await dropToday(fresh);
    expect((await ask(fresh, `/api/traces/${hexOf(1)}`)).text).toBe(text);
  } finally {
    rmSync(backup, { recursive: true, force: true });
  }
});
