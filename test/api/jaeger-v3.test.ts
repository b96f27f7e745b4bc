// Jaeger's API v3 at the socket. The numbers in the names are the checks of contract/jaeger.md §9.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openJaegerServer, type JaegerServer } from '../support/jaeger-server.ts';
import type { MapReader } from '../support/map-reader.ts';
import { RICH_TRACE } from '../support/rich-trace.ts';

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
  const golden = readFileSync(new URL('../../fixtures/jaeger/rich-trace-otlp.json', import.meta.url), 'utf8');
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
