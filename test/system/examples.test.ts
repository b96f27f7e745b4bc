// The examples of docs/examples/ as their reader runs them, beside a node: what they are asked is found as traces. The one in
// Python needs opentelemetry-sdk; PYTHON names an interpreter that has it.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { search } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import { root } from '../support/source-tree.ts';

const python = process.env['PYTHON'] ?? 'python3';
const hasPython = spawnSync(python, ['-c', 'import opentelemetry.exporter.otlp.proto.http']).status === 0;

async function expectTraces(program: string, file: string, service: string): Promise<void> {
  await using node = await startNode();
  const port = await findFreePort();
  const given = [`OTEL_EXPORTER_OTLP_ENDPOINT=${node.otlpUrl}`, `PORT=${port}`];
  const shop = await Child.start('env', [...given, program, `${root}/docs/examples/${file}`]);
  try {
    await expect.poll(() => shop.output, { timeout: 20_000 }).toContain('the shop is open');
    const order = async (item: string): Promise<[number, string]> => {
      const reply = await fetch(`http://127.0.0.1:${port}/order?item=${item}`);
      return [reply.status, await reply.text()];
    };
    expect([await order('tea'), await order('unicorn')]).toEqual([
      [200, '3\n'],
      [404, 'not for sale\n'],
    ]);
    const found = (): Promise<number> => search(node, { service }).then((traces) => traces.length);
    await expect.poll(found, { timeout: 20_000 }).toBe(2);
    const failed = await search(node, { service, tags: { error: 'true' } });
    expect(failed.map(({ spans }) => spans.map(({ operationName }) => operationName).toSorted())).toEqual([
      ['GET /order', 'look up the price'],
    ]);
  } finally {
    await shop.stop();
  }
}

describe('the shop', () => {
  test('in Node', () => expectTraces(process.execPath, 'node/shop.mjs', 'shop-node'));
  test.runIf(hasPython)('in Python', () => expectTraces(python, 'python/shop.py', 'shop-python'));
});
