// Damage that a query meets in a running node: the answer lacks one block and says so, the block lies in quarantine with a note,
// /metrics counts it once, and the node goes on.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { openPart } from '../../src/part/part-reader.ts';
import { force, readMetrics, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { requestOf, traceIdOf } from '../storage/stored-spans.ts';

const nowNs = BigInt(Date.now()) * 1_000_000n;
const TENANTS = ['1', '2', '3'];

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  // A block a tenant.
  for (const tenant of TENANTS) {
    await sendTo(node, requestOf({ first: 0, count: 40, startNs: (n) => nowNs - BigInt(n) }), {
      headers: { AccountID: tenant },
    });
  }
  await force(node, 'flush');
  await force(node, 'merge');
});
afterAll(() => node[Symbol.asyncDispose]());

async function find(tenant: string): Promise<{ status: number; warnings: string | null }> {
  const id = Buffer.from(traceIdOf(3)).toString('hex');
  const response = await fetch(`${node.url}/api/traces/${id}`, { headers: { AccountID: tenant } });
  await response.arrayBuffer();
  return { status: response.status, warnings: response.headers.get('tracelith-warnings') };
}

async function metric(name: string): Promise<number | undefined> {
  return (await readMetrics(node)).get(name);
}

test('a flipped bit in a part costs one block, which is named, counted once and put aside', async () => {
  const { name } = walkFiles(node.dataPath).find((file) => file.name.endsWith('/data'))!;
  const path = join(node.dataPath, name);
  const { blocks } = openPart(nodeDisk, join(path, '..')).metadata;
  expect(blocks).toHaveLength(TENANTS.length);
  const hit = blocks.find(({ tenant }) => tenant === '2:0')!;
  const bytes = readFileSync(path);
  bytes[hit.offset + hit.sizeBytes - 30]! ^= 4;
  writeFileSync(path, bytes);
  for (let asked = 0; asked < 3; asked++) {
    expect(await find('2')).toEqual({ status: 404, warnings: expect.stringContaining(`${name}: block at byte`) });
  }
  for (const tenant of ['1', '3']) expect(await find(tenant)).toEqual({ status: 200, warnings: null });
  await expect.poll(() => metric('tracelith_corrupt_blocks_total')).toBe(1);
  expect(await metric('tracelith_quarantined_files')).toBe(1);
  const [piece = '', note = '', ...more] = readdirSync(join(node.dataPath, 'quarantine'));
  expect([note, more]).toEqual([`${piece}.txt`, []]);
  expect(readFileSync(join(node.dataPath, 'quarantine', piece)).length).toBe(hit.sizeBytes);
  // The next merge leaves it out for good, and counts it no second time. That it is lost is said as before.
  await sendTo(node, requestOf({ first: 40, count: 4, startNs: (n) => nowNs - BigInt(n) }), {
    headers: { AccountID: '1' },
  });
  await force(node, 'flush');
  await force(node, 'merge');
  const lost = expect.stringMatching(/: 40 spans lost: .*block at byte/);
  expect(await find('2')).toEqual({ status: 404, warnings: lost });
  expect(await metric('tracelith_corrupt_blocks_total')).toBe(1);
  expect(await metric('tracelith_losses')).toBe(1);
  // Until somebody takes note of it.
  const accepted = await fetch(`${node.url}/internal/partition/accept_loss`, { method: 'POST' });
  expect(await accepted.json()).toEqual([expect.stringContaining('40 spans lost')]);
  expect(await find('2')).toEqual({ status: 404, warnings: null });
  expect(await metric('tracelith_losses')).toBe(0);
});
