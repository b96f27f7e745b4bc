// Jaeger's API v3 at the socket. The numbers in the names are the checks of contract/jaeger.md §9.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openJaegerServer, type JaegerServer } from '../../support/jaeger-server.ts';
import type { MapReader } from '../../support/map-reader.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';

const RICH_HEX = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

let server: JaegerServer;
let reader: MapReader;
let get: JaegerServer['get'];

beforeAll(async () => {
  server = await openJaegerServer();
  ({ reader, get } = server);
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => reader.clear());

test('E7: a trace is exported losslessly, never adjusted', async () => {
  reader.add(RICH_TRACE);
  const golden = readFileSync(new URL('../../../fixtures/jaeger/rich-trace-otlp.json', import.meta.url), 'utf8');
  for (const query of ['', '?rawTraces=true', '?rawTraces=false']) {
    expect((await get(`/api/v3/traces/${RICH_HEX}${query}`)).text).toBe(golden);
  }
});

describe('v3', () => {
  test('E9: times with an unescaped offset and both spellings are accepted', async () => {
    reader.add(RICH_TRACE);
    for (const query of [
      'start_time=2026-11-20T10:00:00+02:00&end_time=2026-11-20T12:00:00.5Z',
      'startTime=2026-11-20T10:00:00Z&rawTraces=true',
      'raw_traces=0',
    ]) {
      expect([query, (await get(`/api/v3/traces/${RICH_HEX}?${query}`)).status]).toEqual([query, 200]);
    }
  });

  test.each([
    ['zz', 'malformed parameter trace_id: strconv.ParseUint: parsing "zz": invalid syntax'],
    [
      '1?startTime=x',
      'malformed parameter startTime: parsing time "x" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "x" as "2006"',
    ],
    [
      '1?end_time=2026-13-01T00:00:00Z',
      'malformed parameter end_time: parsing time "2026-13-01T00:00:00Z": month out of range',
    ],
    ['1?rawTraces=x', 'malformed parameter rawTraces: strconv.ParseBool: parsing "x": invalid syntax'],
  ])('%s is refused', async (path, message) => {
    expect(await get(`/api/v3/traces/${path}`)).toMatchObject({
      status: 400,
      text: `{"error":{"httpCode":400,"message":${JSON.stringify(message)}}}\n`,
    });
  });
});

describe('names, search and summaries', () => {
  const window = 'query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2030-01-01T00:00:00Z';

  test('E1: an empty store has empty lists', async () => {
    expect((await get('/api/v3/services')).text).toBe('{"services":[]}');
    expect((await get('/api/v3/operations?service=nobody')).text).toBe('{"operations":[]}');
    expect((await get('/api/v3/operations')).text).toBe('{"operations":[]}');
  });

  test('E1: every operation has a name and a kind; none is called internal', async () => {
    reader.add(RICH_TRACE);
    const { services } = JSON.parse((await get('/select/jaeger/api/v3/services')).text) as { services: string[] };
    expect(services.length).toBeGreaterThan(0);
    for (const service of services) {
      const answer = await get(`/api/v3/operations?service=${encodeURIComponent(service)}`);
      const { operations } = JSON.parse(answer.text) as { operations: { name: unknown; spanKind: unknown }[] };
      expect(operations.length).toBeGreaterThan(0);
      for (const { name, spanKind } of operations) {
        expect(typeof name).toBe('string');
        expect(['internal', 'server', 'client', 'producer', 'consumer']).toContain(spanKind);
      }
    }
  });

  test.each(['spanKind', 'span_kind'])('operations of one kind, by %s', async (name) => {
    reader.add(RICH_TRACE);
    const of = async (kind: string): Promise<number> => {
      const { text } = await get(`/api/v3/operations?service=backend&${name}=${kind}`);
      return (JSON.parse(text) as { operations: unknown[] }).operations.length;
    };
    const counts = await Promise.all(['', 'internal', 'server', 'client', 'producer', 'consumer', 'x'].map(of));
    const [all, ...each] = counts;
    expect(each.reduce((sum, count) => sum + count, 0)).toBe(all);
    expect(Math.max(...each)).toBeLessThan(all!);
  });

  test('E8: no match is 404 for traces and an empty list for summaries', async () => {
    expect(await get(`/api/v3/traces?query.serviceName=nobody&${window}`)).toMatchObject({
      status: 404,
      text: '{"error":{"httpCode":404,"message":"No traces found"}}\n',
    });
    expect(await get(`/api/v3/trace-summaries?query.serviceName=nobody&${window}`)).toMatchObject({
      status: 200,
      text: '{"summaries":[]}',
    });
  });

  test('a search gives the whole trace and its summary', async () => {
    reader.add(RICH_TRACE);
    const { services } = JSON.parse((await get('/api/v3/services')).text) as { services: string[] };
    const query = `query.serviceName=${encodeURIComponent(services[0]!)}&${window}`;
    const golden = readFileSync(new URL('../../../fixtures/jaeger/rich-trace-otlp.json', import.meta.url), 'utf8');
    expect((await get(`/api/v3/traces?${query}`)).text).toBe(golden);
    const { summaries } = JSON.parse((await get(`/api/v3/trace-summaries?${query}`)).text) as { summaries: unknown[] };
    expect(summaries).toEqual([expect.objectContaining({ traceId: RICH_HEX })]);
  });
});

test('dependencies in a window that must be given', async () => {
  reader.add(RICH_TRACE);
  const window = 'startTime=2025-11-19T00:00:00Z&endTime=2025-11-21T00:00:00%2B02:00';
  const { status, text } = await get(`/select/jaeger/api/v3/dependencies?${window}`);
  expect([status, text]).toEqual([200, '{"dependencies":[{"parent":"backend","child":"frontend","callCount":1}]}']);
  expect(reader.dependencyRanges).toEqual([[1_763_510_400_000_000_000n, 1_763_676_000_999_999_999n]]);
  expect((await get('/api/v3/dependencies?start_time=2025-11-19T00:00:00Z&end_time=2025-11-19T00:00:01Z')).status).toBe(
    200,
  );
  const refusedTexts: [string, string][] = [
    ['', 'startTime and endTime are required'],
    ['startTime=2025-11-19T00:00:00Z', 'startTime and endTime are required'],
    ['startTime=2025-11-19T00:00:00Z&endTime=2025-11-19T00:00:00Z', 'endTime must be after startTime'],
  ];
  for (const [query, message] of refusedTexts) {
    expect((await get(`/api/v3/dependencies?${query}`)).text).toBe(
      `{"error":{"httpCode":400,"message":"${message}"}}\n`,
    );
  }
});
