// A process whose store or main thread hangs, or died without a word, is not healthy, says so, and ends by itself with a
// status that is not 0; what it has acknowledged is there after the next start.
import { describe, expect, test } from 'vitest';
import { findFreePort } from '../../native-bench/harness/child.ts';
import { GrpcCaller } from '../../src/cluster/grpc-caller.ts';
import { RemoteStore } from '../../src/cluster/remote-store.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { hang, INSPECTED } from '../support/inspected-node.ts';
import { exportTrace, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';

async function healthOf(node: TestNode): Promise<number> {
  return await fetch(`${node.url}/health`).then(
    (reply) => reply.status,
    () => 0,
  );
}

/** What a cluster asks a storage node every second. */
async function describeNode(address: string): Promise<string | undefined> {
  const caller = new GrpcCaller({ address });
  try {
    return (await new RemoteStore({ caller }).describe({ tenant: DEFAULT_TENANT })).name;
  } finally {
    caller.close();
  }
}

test('a storage node whose engine is busy tells a cluster that it is up, until it counts as hung', async () => {
  const address = `127.0.0.1:${await findFreePort()}`;
  const flags = [`-storage.listenAddr=${address}`, '-storageNode.name=busy', '-stallTimeout=2m'];
  await using node = await startNode({ through: INSPECTED, flags });
  await sendTo(node, oneSpan(1));
  const inspector = await hang(node, 'engine');
  // Nothing is stored from now on, so the engine does not answer.
  const waiting = sendTo(node, oneSpan(2)).catch((error: unknown) => String(error));
  expect(await describeNode(address)).toBe('busy');
  expect((await fetch(`${node.url}/insert/ready`)).status).toBe(200);
  await expect.poll(() => healthOf(node), { timeout: 20_000 }).toBe(503);
  await expect(describeNode(address)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  inspector.close();
  process.kill(node.pid, 'SIGKILL');
  expect(await waiting).toMatch(/fetch failed/);
});

describe('a thread that hangs ends the process', () => {
  test('the engine: health turns to 503 before', async () => {
    await using node = await startNode({ through: INSPECTED });
    await sendTo(node, oneSpan(1));
    const inspector = await hang(node, 'engine');
    const waiting = sendTo(node, oneSpan(2)).catch((error: unknown) => String(error));
    await expect.poll(() => healthOf(node), { timeout: 20_000 }).toBe(503);
    inspector.close();
    expect(await node.ended()).not.toBe(0);
    expect(node.log()).toMatch(/ERROR the store does not answer, the process ends seconds=\d+\n/);
    expect(await waiting).toMatch(/503|fetch failed/);
    await node.start();
    expect(await exportTrace(node, '1')).toBeDefined();
  });

  test('the main thread: the engine ends the process', async () => {
    await using node = await startNode({ through: INSPECTED, flags: ['-stallTimeout=3s'] });
    await sendTo(node, oneSpan(1));
    await hang(node, 'main');
    expect(await node.ended()).not.toBe(0);
    expect(node.log()).toMatch(/ERROR the main thread hangs, the process ends seconds=\d+\n/);
    await node.start();
    expect(await exportTrace(node, '1')).toBeDefined();
  });
});

test('a process that was stopped for long goes on where it was', async () => {
  await using node = await startNode({ flags: ['-stallTimeout=1s'] });
  process.kill(node.pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  process.kill(node.pid, 'SIGCONT');
  await sendTo(node, oneSpan(1));
  expect(await exportTrace(node, '1')).toBeDefined();
  expect(await node.stop()).toBe(0);
});
