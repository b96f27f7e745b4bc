// jaeger.api_v2.QueryService on a real socket over a MapReader: what the legacy JSON says, over gRPC.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';
import { jaeger } from '../../support/jaeger-view.ts';
import { inlineProcesses, legacyOf } from '../../support/legacy-spans.ts';
import { RICH_START_NS, RICH_TRACE, RICH_TRACE_ID, span, traceOf } from '../../support/rich-trace.ts';

const API = 'jaeger.api_v2.QueryService';

let listener: GrpcListener;
beforeAll(async () => {
  listener = await openGrpcListener();
});
afterAll(async () => {
  await listener[Symbol.asyncDispose]();
});
beforeEach(() => {
  listener.reader.clear();
  listener.reader.add(RICH_TRACE);
});

describe('GetTrace', () => {
  test.each([false, true])('gives the spans of the legacy JSON, raw %s', async (isRaw) => {
    const spans = (await listener.client.getTraceV2(RICH_TRACE_ID, isRaw)).flat();
    expect(legacyOf(spans)).toEqual(inlineProcesses(jaeger(RICH_TRACE, isRaw)));
  });

  test('a large trace comes in chunks of ten', async () => {
    const traceId = Buffer.alloc(16, 7);
    listener.reader.add(traceOf(Array.from({ length: 10_003 }, (_, i) => span(i + 1, { traceId }))));
    const chunks = await listener.client.getTraceV2(traceId);
    expect(chunks.map(({ length }) => length)).toEqual([...Array.from({ length: 1_000 }, () => 10), 3]);
    expect(listener.answers.bytes).toBe(0);
  });

  test('eight bytes are the low half', async () => {
    const traceId = Buffer.from('0000000000000000112233445566778a', 'hex');
    listener.reader.add(traceOf([span(1, { traceId })]));
    expect(await listener.client.getTraceV2(traceId.subarray(8))).toHaveLength(1);
  });

  test.each([
    ['unknown', Buffer.alloc(16, 9), status.NOT_FOUND, 'trace not found'],
    ['zero', Buffer.alloc(16), status.INVALID_ARGUMENT, 'uninitialized TraceID is not allowed'],
    ['absent', Buffer.alloc(0), status.INVALID_ARGUMENT, 'uninitialized TraceID is not allowed'],
    ['too short', Buffer.alloc(5, 1), status.INVALID_ARGUMENT, 'trace_id: expected 16 bytes, got 5'],
  ])('an id that is %s', async (_what, id, code, details) => {
    await expect(listener.client.getTraceV2(id)).rejects.toMatchObject({ code, details });
  });
});

describe('FindTraces', () => {
  test('gives whole traces, newest first, and needs no times', async () => {
    const traceId = Buffer.alloc(16, 7);
    listener.reader.add(traceOf([span(1, { traceId }, 60_000_000_000n)]));
    const chunks = await listener.client.findTracesV2({ endNs: RICH_START_NS + 61_000_000_000n });
    const ids = [...new Set(chunks.flat().map((one) => Buffer.from(one.traceId).toString('hex')))];
    expect(ids).toEqual([traceId.toString('hex'), RICH_TRACE_ID.toString('hex')]);
    const tagged = await listener.client.findTracesV2({ service: 'frontend', tags: { zone: 'b' }, isRaw: true });
    expect(legacyOf(tagged.flat())).toEqual(inlineProcesses(jaeger(RICH_TRACE, true)));
    expect(await listener.client.findTracesV2({ service: 'none' })).toEqual([]);
  });

  test('without a query is INVALID_ARGUMENT', async () => {
    const call = { path: `/${API}/FindTraces`, request: 'Empty', message: {} };
    await expect(listener.client.stream(call)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'missing query',
    });
  });
});

describe('names and links', () => {
  test('services, operations, links', async () => {
    expect(await listener.client.getServices(API)).toEqual(await listener.client.getServices());
    const query = { service: 'backend' };
    expect(await listener.client.getOperations(query, API)).toEqual(await listener.client.getOperations(query));
    const window = { startNs: 1n, endNs: 2n ** 62n };
    expect(await listener.client.getDependencies(window, API)).toEqual(await listener.client.getDependencies(window));
    await expect(listener.client.getDependencies({ startNs: 1n }, API)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'StartTime and EndTime must be initialized.',
    });
  });

  test('operations have their bare names too', async () => {
    const call = { path: `/${API}/GetOperations`, request: 'OperationsOf', message: { service: 'backend' } };
    const names = (await listener.client.getOperations({ service: 'backend' })).map(({ name }) => name);
    for (const name of names)
      expect((await listener.client.unary(call)).includes(`\x0a${String.fromCharCode(name.length)}${name}`)).toBe(true);
  });
});

describe('ArchiveTrace', () => {
  const call = { path: `/${API}/ArchiveTrace`, request: 'BytesTrace' };

  test('keeps the trace of its tenant, and says when there is none', async () => {
    const kept: unknown[] = [];
    await using own = await openGrpcListener({
      archive: {
        isArchived: () => Promise.resolve(false),
        archiveTrace: async ({ tenant }, id) => ({ isFound: kept.push([tenant, id]) > 0 && id[0] !== 9, warnings: [] }),
        deleteArchived: () => Promise.resolve(false),
        purge: () => Promise.resolve(),
      },
    });
    const options = { metadata: { accountid: '3' } };
    expect(await own.client.unary({ ...call, message: { traceId: RICH_TRACE_ID }, options })).toHaveLength(0);
    expect(kept).toEqual([['3:0', new Uint8Array(RICH_TRACE_ID)]]);
    await expect(own.client.unary({ ...call, message: { traceId: Buffer.alloc(16, 9) } })).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: 'trace not found',
    });
    await expect(own.client.unary({ ...call, message: {} })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test('is UNIMPLEMENTED where there is no archive', async () => {
    await expect(listener.client.unary({ ...call, message: { traceId: RICH_TRACE_ID } })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});
