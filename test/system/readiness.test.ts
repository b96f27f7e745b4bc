// The probes of load balancers on the real program: a node that leaves, and one that takes no spans.
import { Client, credentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { exportTrace, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { AS_NODE, RoleProcess } from '../support/role-process.ts';

async function probe(node: TestNode, path: string): Promise<number> {
  return (await fetch(node.url + path)).status;
}

/** grpc.health.v1 of the whole server: 1 SERVING, 2 NOT_SERVING. */
async function grpcHealth(address: string): Promise<number> {
  const client = new Client(address, credentials.createInsecure());
  const asIs = (bytes: Buffer): Buffer => bytes;
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', asIs, asIs, Buffer.alloc(0), (error, reply) => {
        if (error === null) resolve(reply?.[1] ?? 0);
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}

test('a node that is told to stop says so first, and answers everything until its delay is over', async () => {
  await using node = await startNode({ flags: ['-http.shutdownDelay=3s'] });
  await sendTo(node, oneSpan(1));
  expect([await probe(node, '/ready'), await grpcHealth(node.grpcAddress)]).toEqual([200, 1]);
  const ended = node.stop('SIGTERM');
  await expect.poll(() => probe(node, '/ready')).toBe(503);
  expect([await probe(node, '/health'), await probe(node, '/select/ready')]).toEqual([503, 503]);
  expect([await grpcHealth(node.grpcAddress), await grpcHealth(node.jaegerAddress)]).toEqual([2, 2]);
  await sendTo(node, oneSpan(2));
  await sendTo(node, oneSpan(3), { protocol: 'grpc' });
  expect(await exportTrace(node, '2')).toBeDefined();
  expect(await ended).toBe(0);
  await node.start();
  expect(await exportTrace(node, '3')).toBeDefined();
});

test('insert and select are not serving over gRPC until a storage node is reachable, nor when it is gone', async () => {
  await using store = await RoleProcess.storing('r1');
  await using insert = await RoleProcess.inFront('insert', store.address, [AS_NODE]);
  await using select = await RoleProcess.inFront('select', store.address, [AS_NODE]);
  const fronts = [insert, select];
  await Promise.all(fronts.map((front) => front.start()));
  const healths = (): Promise<number[]> => Promise.all(fronts.map(({ address }) => grpcHealth(address)));
  const ready = (): Promise<number[]> =>
    Promise.all(fronts.map(async ({ url }) => (await fetch(`${url}/ready`)).status));
  expect([await healths(), await ready()]).toEqual([
    [2, 2],
    [503, 503],
  ]);
  await store.start();
  await expect.poll(healths, { timeout: 20_000 }).toEqual([1, 1]);
  expect(await ready()).toEqual([200, 200]);
  await store.signal('SIGKILL');
  await expect.poll(healths, { timeout: 20_000 }).toEqual([2, 2]);
});

test('with -storage.readOnly a node refuses spans so that exporters retry, and answers queries', async () => {
  await using writable = await startNode();
  await sendTo(writable, oneSpan(1));
  await writable.stop();
  await using node = await startNode({ dataPath: writable.dataPath, flags: ['-storage.readOnly'] });
  const refused = await fetch(`${node.url}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
  expect(await refused.text()).toContain('-storage.readOnly');
  await expect(sendTo(node, oneSpan(2), { protocol: 'grpc' })).rejects.toMatchObject({ code: 8 });
  expect([await probe(node, '/ready'), await probe(node, '/insert/ready')]).toEqual([503, 503]);
  expect([await probe(node, '/select/ready'), await probe(node, '/health')]).toEqual([200, 200]);
  expect(await exportTrace(node, '1')).toBeDefined();
});
