// jaeger.api_v3.QueryService on a real socket over a MapReader.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { encodeTraces } from '../../support/otlp-proto.ts';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';
import { RICH_START_NS, RICH_TRACE, RICH_TRACE_ID, span, traceOf } from '../../support/rich-trace.ts';

const API = 'jaeger.api_v3.QueryService';
const WINDOW = { startNs: RICH_START_NS - 1_000_000_000n, endNs: RICH_START_NS + 60_000_000_000n };

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
  const id = RICH_TRACE_ID.toString('hex');

  test.each([id, id.toUpperCase(), RICH_TRACE_ID.toString('base64')])('finds %s, byte for byte', async (text) => {
    expect((await listener.client.getTraceV3(text)).messages).toEqual([encodeTraces(RICH_TRACE)]);
  });

  test('a short id is extended with zeros', async () => {
    const traceId = Buffer.from('0000000000000000112233445566778a', 'hex');
    listener.reader.add(traceOf([span(1, { traceId })]));
    expect((await listener.client.getTraceV3('112233445566778a')).messages).toHaveLength(1);
  });

  test.each([
    ['ffff', status.NOT_FOUND, 'trace not found'],
    ['00000000000000000000000000000000', status.NOT_FOUND, 'trace not found'],
    ['zz', status.INVALID_ARGUMENT, 'malformed trace_id: strconv.ParseUint: parsing "zz": invalid syntax'],
    ['', status.INVALID_ARGUMENT, 'malformed trace_id: strconv.ParseUint: parsing "": invalid syntax'],
  ])('"%s" is code %i', async (text, code, details) => {
    await expect(listener.client.getTraceV3(text)).rejects.toMatchObject({ code, details });
  });
});

describe('a search', () => {
  test('finds by tags as text, with or without a service', async () => {
    const otlp = [encodeTraces(RICH_TRACE)];
    expect((await listener.client.findTracesV3({ service: 'frontend', ...WINDOW })).messages).toEqual(otlp);
    expect((await listener.client.findTracesV3({ tags: { zone: 'b' }, ...WINDOW })).messages).toEqual(otlp);
    expect((await listener.client.findTracesV3({ tags: { zone: 'c' }, ...WINDOW })).messages).toEqual([]);
    expect(listener.reader.queries[1]).toMatchObject({
      tags: [{ key: 'zone', value: 'b' }],
      startMinNs: WINDOW.startNs,
    });
  });

  test('hands its filter on', async () => {
    const filter = { op: 'exists', args: [{ attr: { key: 'zone', level: 'resource' } }] };
    await listener.client.findTracesV3({ ...WINDOW, filter });
    expect(listener.reader.queries).toMatchObject([{ filter: { op: 'exists' } }]);
  });

  test('summaries have their id as text', async () => {
    const [summary] = await listener.client.findSummariesV3({ service: 'backend', ...WINDOW });
    const [other] = await listener.client.findSummaries({ service: 'backend', ...WINDOW });
    expect(summary).toEqual({ ...other, traceId: RICH_TRACE_ID.toString('hex') });
    expect(await listener.client.findSummariesV3({ service: 'none', ...WINDOW })).toEqual([]);
  });

  test.each([
    ['no times', {}, 'start time min and max are required parameters'],
    ['no end', { startNs: 1n }, 'start time min and max are required parameters'],
  ])('with %s is INVALID_ARGUMENT', async (_what, terms, details) => {
    const refused = { code: status.INVALID_ARGUMENT, details };
    await expect(listener.client.findTracesV3(terms)).rejects.toMatchObject(refused);
    await expect(listener.client.findSummariesV3(terms)).rejects.toMatchObject(refused);
  });

  test('deeper than traces are given says so', async () => {
    const { trailer } = await listener.client.findTracesV3({ ...WINDOW, limit: 51 });
    expect(trailer.get('tracelith-warning')).toEqual([
      '51 traces were asked for, at most 50 are given (-search.maxTraces)',
    ]);
  });

  test('without a query is INVALID_ARGUMENT', async () => {
    const call = { path: `/${API}/FindTraces`, request: 'Empty', message: {} };
    await expect(listener.client.stream(call)).rejects.toMatchObject({ details: 'missing query' });
  });
});

describe('names and links', () => {
  test('services and operations', async () => {
    expect(await listener.client.getServices(API)).toEqual(await listener.client.getServices());
    const query = { service: 'backend' };
    expect(await listener.client.getOperations(query, API)).toEqual(await listener.client.getOperations(query));
  });

  test('links of a window, which must be given', async () => {
    expect(await listener.client.getDependencies(WINDOW, API)).toEqual(await listener.client.getDependencies(WINDOW));
    for (const [window, details] of [
      [{}, 'start_time is required'],
      [{ startNs: 1n }, 'end_time is required'],
      [{ startNs: 2n, endNs: 2n }, 'end_time must be after start_time'],
    ] as const) {
      const refused = { code: status.INVALID_ARGUMENT, details };
      await expect(listener.client.getDependencies(window, API)).rejects.toMatchObject(refused);
    }
  });
});
