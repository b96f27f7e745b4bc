// The two gRPC listeners: what is served where, and what an empty address means.
import { expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { AnswerBudget } from '../../../src/api/edge/answer-budget.ts';
import { openJaegerGrpc, openOtlpGrpc } from '../../../src/api/listeners/grpc-listeners.ts';
import { parseConfig } from '../../../src/config.ts';
import { openEdgeServers } from '../../support/edge-servers.ts';
import { openGrpcListener } from '../../support/grpc-listener.ts';
import { callExport } from '../../support/node-client.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';
import { StorageClient } from '../../support/storage-client.ts';

test("OTLP is taken on Jaeger's port too, with its tenant", async () => {
  await using listener = await openGrpcListener();
  const body = encodeRequest(RICH_TRACE);
  expect(await callExport(listener.address, body, { accountid: '5' })).toHaveLength(0);
  expect(listener.store.writes.map(({ tenant, body: stored }) => [tenant, stored])).toEqual([['5:0', body]]);
});

test("Jaeger's questions are not answered on OTLP's port", async () => {
  await using edge = await openEdgeServers();
  using client = new StorageClient(`127.0.0.1:${edge.grpc.port}`);
  await expect(client.getServices()).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
});

test('an empty address opens nothing, and one that is taken says by which flag', async () => {
  await using edge = await openEdgeServers();
  const { store: reader, metrics } = edge;
  const parts = {
    archive: undefined,
    answers: new AnswerBudget(),
    intake: edge.intake,
    reader,
    metrics,
    logger: edge.logger,
    isReady: () => true,
  };
  const off = parseConfig(['-otlpGRPCListenAddr=', '-grpc.listenAddr='], {});
  expect([await openOtlpGrpc({ ...parts, config: off }), await openJaegerGrpc({ ...parts, config: off })]).toEqual([
    undefined,
    undefined,
  ]);
  const taken = parseConfig([`-grpc.listenAddr=127.0.0.1:${edge.grpc.port}`], {});
  await expect(openJaegerGrpc({ ...parts, config: taken })).rejects.toThrow(
    /^-grpc\.listenAddr=127\.0\.0\.1:\d+: cannot listen: /,
  );
});
