// The front that lets the conformance suite, the search oracle and the metamorphic runner ask a cluster behind HAProxy (the projects
// `cluster…` of vitest.config.ts): what it compares, it really compares.
import { expect, test } from 'vitest';
import { hasProxy } from '../../native-bench/harness/proxy.ts';
import { ClusterFront } from '../support/cluster-front.ts';
import { hexOf, piece } from '../support/day-traces.ts';
import { callExport, sendTo } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { StorageClient } from '../support/storage-client.ts';

test.skipIf(!hasProxy('haproxy'))(
  'a cluster answers as the node beside it, and a difference is shown and fails the run',
  { timeout: 300_000 },
  async () => {
    const node = await startNode();
    const front = await ClusterFront.open(node);
    using client = new StorageClient(front.jaegerAddress);
    await sendTo(front, piece(1, 0, 3));
    await callExport(front.grpcAddress, encodeRequest(piece(2, 0, 3)));
    const read = async (n: number): Promise<number> => (await fetch(`${front.url}/api/traces/${hexOf(n)}`)).status;
    expect([await read(1), await read(2), await read(3)]).toEqual([200, 200, 404]);
    await front.restart('SIGKILL');
    expect([await read(1), await read(2)]).toEqual([200, 200]);
    expect((await client.getTraces([Buffer.from(hexOf(1), 'hex')])).messages).toHaveLength(1);

    // Behind the cluster's back.
    await sendTo(node, piece(1, 3, 4));
    const reply = await fetch(`${front.url}/api/traces/${hexOf(1)}`);
    expect([reply.status, await reply.text()]).toEqual([599, expect.stringContaining('the node says')]);
    await expect(client.getTraces([Buffer.from(hexOf(1), 'hex')])).rejects.toThrow(/GetTraces/);
    await expect(front[Symbol.asyncDispose]()).rejects.toThrow('2 answers differ');
  },
);
