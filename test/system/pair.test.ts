// A pair as docs/operations/cluster.md describes it: a real Collector writes to two nodes, one is killed and comes back, a disk is
// lost and filled again by `tracelith sync`. OTELCOL names the Collector (test/deploy/tools/otelcol-builder.yaml).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { hexOf, piece } from '../support/day-traces.ts';
import { ask } from '../support/node-client.ts';
import { runProgram, startNode, type TestNode } from '../support/node-process.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { answersOf } from '../support/two-nodes.ts';

const root = new URL('../../', import.meta.url).pathname;
const collector = process.env['OTELCOL'] ?? '';
/** The Collector's ports are fixed, and those of 127.0.0.1 may be a node's. */
const HOST = '127.0.0.11';

/** A node that keeps its port when it is restarted, so that the Collector finds it again. */
async function startSteadyNode(): Promise<TestNode> {
  return await startNode({ ports: [await findFreePort()], flags: ['-stallTimeout=1m'] });
}

async function sendAll(from: number, end: number): Promise<void> {
  for (let n = from; n < end; n++) {
    const body = Buffer.from(encodeRequest(piece(n, 0, 4)));
    const send = async (): Promise<number> => {
      const headers = { 'content-type': 'application/x-protobuf' };
      const reply = await fetch(`http://${HOST}:4318/v1/traces`, { method: 'POST', headers, body });
      await reply.arrayBuffer();
      return reply.status;
    };
    // Refused until the Collector listens.
    await expect.poll(() => send().catch(() => 0), { timeout: 30_000 }).toBe(200);
  }
}

async function has(node: TestNode, from: number, end: number): Promise<void> {
  for (let n = from; n < end; n++)
    await expect.poll(async () => (await ask(node, `/api/traces/${hexOf(n)}`))[0], { timeout: 60_000 }).toBe(200);
}

test.skipIf(collector === '')(
  'a node that was away gets its spans from the queue, one whose disk was lost by sync',
  { timeout: 300_000 },
  async () => {
    const queue = mkdtempSync(join(tmpdir(), 'tracelith-pair-'));
    await using a = await startSteadyNode();
    await using b = await startSteadyNode();
    const environment = [
      `TRACELITH_A=${a.url}`,
      `TRACELITH_B=${b.url}`,
      `COLLECTOR_QUEUE=${queue}`,
      `COLLECTOR_HOST=${HOST}`,
    ];
    const config = `--config=${root}deploy/pair/otel-collector.yaml`;
    const running = await Child.start('env', [...environment, collector, config]);
    try {
      await sendAll(1, 20);
      await b.kill9();
      await sendAll(20, 60);
      // One that is away keeps nobody waiting.
      await has(a, 1, 60);
      await b.start();
      await has(b, 1, 60);
      const asked = { tenants: ['0:0'], traceIds: Array.from({ length: 60 }, (_, n) => hexOf(n)) };
      const answers = await answersOf(a, asked);
      expect(await answersOf(b, asked)).toEqual(answers);
      const sync = ['sync', '--from', a.url, '--to', b.url, '--both'];
      expect((await runProgram(sync)).output).toContain(' 0 traces copied (0 B): nothing is missing');

      await b.kill9();
      rmSync(b.dataPath, { recursive: true });
      await b.start();
      const { exitCode, output } = await runProgram(sync);
      expect([exitCode, output]).toEqual([0, expect.stringContaining('nothing is missing')]);
      expect(await answersOf(b, asked)).toEqual(answers);
    } finally {
      await running.kill();
      rmSync(queue, { recursive: true, force: true });
    }
  },
);
