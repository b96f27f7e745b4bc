// The two gRPC listeners: what is served where, and what an empty address means.
import { isUtf8 } from 'node:buffer';
import { expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { OPEN_ACCESS } from '../../../src/api/access/access.ts';
import { AnswerBudget } from '../../../src/api/edge/answer-budget.ts';
import { openJaegerGrpc, openOtlpGrpc } from '../../../src/api/listeners/grpc-listeners.ts';
import { parseConfig } from '../../../src/config.ts';
import { openEdgeServers } from '../../support/edge-servers.ts';
import { openGrpcListener } from '../../support/grpc-listener.ts';
import { callExport } from '../../support/node-client.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { attribute, RICH_TRACE, RICH_TRACE_ID, span } from '../../support/rich-trace.ts';
import { FakeReadiness } from '../../support/fake-readiness.ts';
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
    access: OPEN_ACCESS,
    archive: undefined,
    answers: new AnswerBudget(),
    intake: edge.intake,
    bodies: edge.bodies,
    reader,
    metrics,
    logger: edge.logger,
    readiness: new FakeReadiness().readiness,
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

/** Where `bad` is in a message, but for fields that may hold any bytes: AnyValue.bytes_value and KeyValue.v_binary, both 7. */
function textsWith(bad: Buffer, message: Uint8Array): number[] {
  const bytes = Buffer.from(message);
  const found: number[] = [];
  for (let at = bytes.indexOf(bad); at >= 0; at = bytes.indexOf(bad, at + 1))
    if (bytes[at - 2] !== 0x3a) found.push(at);
  return found;
}

test('no text of an answer is anything but UTF-8, wherever one came that was not, and the client is told', async () => {
  await using listener = await openGrpcListener();
  // An unpaired surrogate, which the tests' encoder writes as three bytes that are no UTF-8.
  const bad = '\ud800';
  const badBytes = Buffer.from('eda080', 'hex');
  expect(isUtf8(badBytes)).toBe(false);
  const spans = [
    span(1, {
      name: bad,
      traceState: bad,
      attributes: [
        attribute('value', bad),
        attribute(bad, 'key'),
        attribute('list', { arrayValue: { values: [{ stringValue: bad }] } }),
      ],
      events: [{ name: bad, attributes: [attribute(bad, 'v')] }],
      links: [
        { traceId: RICH_TRACE_ID, spanId: Buffer.alloc(8, 1), traceState: bad, attributes: [attribute('k', bad)] },
      ],
      status: { message: bad, code: 2 },
    }),
  ];
  const attributes = [attribute('service.name', bad), attribute('host', bad)];
  const scope = { name: bad, version: bad, attributes: [attribute('k', bad)] };
  listener.reader.add({
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans, schemaUrl: bad }], schemaUrl: bad }],
  });
  const { client } = listener;
  const v3 = {
    path: '/jaeger.api_v3.QueryService/GetTrace',
    request: 'TextTrace',
    message: { traceId: RICH_TRACE_ID.toString('hex') },
  };
  const v2 = {
    path: '/jaeger.api_v2.QueryService/GetTrace',
    request: 'BytesTrace',
    message: { traceId: RICH_TRACE_ID },
  };
  for (const answer of [
    await client.getTraces([RICH_TRACE_ID]),
    await client.findTraces({}),
    await client.stream(v3),
  ]) {
    expect(answer.messages.flatMap((message) => textsWith(badBytes, message))).toEqual([]);
    expect(answer.trailer.get('tracelith-warning')).toEqual([expect.stringContaining('has text that is not UTF-8')]);
  }
  for (const rawTraces of [false, true]) {
    const { messages } = await client.stream({ ...v2, message: { ...v2.message, rawTraces } });
    expect(messages.flatMap((message) => textsWith(badBytes, message))).toEqual([]);
  }
  const [[shown] = []] = await client.getTraceV2(RICH_TRACE_ID);
  expect(shown!.warnings).toContain('Text that is not valid UTF-8 is shown with replacement characters');
  const summaries = await client.findSummaries({});
  expect(summaries[0]!.rootServiceName).toBe('\ufffd\ufffd\ufffd');
});
