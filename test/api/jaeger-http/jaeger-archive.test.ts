// /api/archive at the socket, over an archive that is a set of ids: statuses, envelopes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/base/errors.ts';
import type { TraceArchive } from '../../../src/trace/store.ts';
import { openJaegerServer, refused, type JaegerServer } from '../../support/jaeger-server.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';

const RICH_HEX = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const DONE = '{"data":[],"total":0,"limit":0,"offset":0,"errors":[]}';

let server: JaegerServer;
const kept = new Set<string>();
let failure: StoreError | undefined;
const keyOf = (tenant: string, id: Uint8Array): string => `${tenant} ${Buffer.from(id).toString('hex')}`;
const archive: TraceArchive = {
  isArchived: ({ tenant }, id) => Promise.resolve(kept.has(keyOf(tenant, id))),
  archiveTrace: async (call, id) => {
    if (failure !== undefined) throw failure;
    const { traces, warnings } = await server.reader.findTraces(call, [id]);
    if (traces.length > 0) kept.add(keyOf(call.tenant, id));
    return { isFound: traces.length > 0, warnings };
  },
  deleteArchived: ({ tenant }, id) => Promise.resolve(kept.delete(keyOf(tenant, id))),
  purge: () => Promise.resolve(kept.clear()),
};

beforeAll(async () => {
  server = await openJaegerServer({ archive });
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  server.reader.clear();
  server.reader.add(RICH_TRACE);
  kept.clear();
  failure = undefined;
});

test('what could not be kept of a trace is named; of one that is not found, where it may have been', async () => {
  server.reader.warnings = ['part 7 is lost'];
  expect((await ask('POST')).headers.get('tracelith-warnings')).toBe('1: part 7 is lost');
  server.reader.clear();
  server.reader.warnings = ['part 7 is lost'];
  const { status, headers, text } = await ask('POST');
  expect([status, headers.get('tracelith-warnings')]).toEqual([404, '1: part 7 is lost']);
  expect(text).toContain('trace not found; it may be in what is damaged or lost: part 7 is lost');
});

const ask = (method: string, id = RICH_HEX, headers: Record<string, string> = {}): ReturnType<JaegerServer['get']> =>
  server.get(`/select/jaeger/api/archive/${id}`, { method, headers });

describe('D15: POST keeps a trace', () => {
  test('in any spelling of its id, for its tenant', async () => {
    for (const id of [RICH_HEX.toUpperCase(), 'obLD1OX2BxgpOktcbX6PkA==', `${RICH_HEX}?start=1&end=2`]) {
      expect(await ask('POST', id)).toMatchObject({ status: 200, text: DONE });
    }
    expect([...kept]).toEqual([`0:0 ${RICH_HEX}`]);
    expect(await ask('POST', RICH_HEX, { AccountID: '7' })).toMatchObject({
      status: 404,
      text: refused(404, 'trace not found'),
    });
  });

  test('an unknown trace is 404, a bad id or time 400, another path 404', async () => {
    expect(await ask('POST', '1')).toMatchObject({ status: 404, text: refused(404, 'trace not found') });
    expect((await ask('POST', 'zz')).status).toBe(400);
    expect((await ask('POST', `${RICH_HEX}?start=x`)).status).toBe(400);
    expect((await ask('POST', 'a/b/c')).text).toBe('404 page not found\n');
    expect((await ask('PUT')).text).toBe('404 page not found\n');
    expect([...kept]).toEqual([]);
  });

  test('a full archive says so', async () => {
    failure = new StoreError('LIMIT_EXCEEDED', 'the archive is full');
    expect(await ask('POST')).toMatchObject({ status: 413, text: refused(413, 'the archive is full') });
  });
});

test('GET shows a kept trace and no other; DELETE keeps it no longer', async () => {
  expect((await ask('GET')).status).toBe(404);
  await ask('POST');
  expect((await ask('GET')).text).toBe((await server.get(`/api/traces/${RICH_HEX}`)).text);
  expect(await ask('DELETE')).toMatchObject({ status: 200, text: DONE });
  expect((await ask('DELETE')).status).toBe(404);
  expect((await ask('GET')).status).toBe(404);
});

test('without an archive it is Jaeger’s 500, which is no failure of the server', async () => {
  await using without = await openJaegerServer();
  const text = refused(500, 'archive span storage was not configured');
  for (const method of ['POST', 'GET', 'DELETE']) {
    expect(await without.get(`/api/archive/${RICH_HEX}`, { method })).toMatchObject({ status: 500, text });
  }
  expect(without.logged).toEqual([]);
});
