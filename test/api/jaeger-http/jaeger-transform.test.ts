// POST /api/transform at the socket: a file of OTLP JSON shown as Jaeger's JSON.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openJaegerServer, type JaegerServer } from '../../support/jaeger-server.ts';

let server: JaegerServer;
let get: JaegerServer['get'];
let data: JaegerServer['data'];

beforeAll(async () => {
  server = await openJaegerServer();
  ({ get, data } = server);
});
afterAll(() => server[Symbol.asyncDispose]());

describe('POST /api/transform', () => {
  const spanJson = (traceId: string, id: string): object => ({
    traceId,
    spanId: id,
    parentSpanId: '00000000000000aa',
    name: 'okay',
    kind: 2,
    startTimeUnixNano: '1763600000123456789',
    endTimeUnixNano: '1763600000123579789',
    attributes: [
      { key: 'peer.service', value: { stringValue: 'client' } },
      { key: 'net.peer.ip', value: { stringValue: '1.2.3.4' } },
    ],
    status: {},
  });
  const requestOf = (...spans: object[]): string =>
    JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'generator' } }] },
          scopeSpans: [{ scope: { name: 'gen' }, spans }],
        },
      ],
    });
  const post = (body: string, headers: Record<string, string> = {}): ReturnType<JaegerServer['get']> =>
    get('/select/jaeger/api/transform', { method: 'POST', body, headers });

  test('D14: a file of OTLP JSON is shown as it is: doubled spans and the order of attributes stay, warnings do not', async () => {
    const one = spanJson('83a9efd15c1c98a977e0711cc93ee28b', 'e127af99e3b3e074');
    const shown = {
      traceID: '83a9efd15c1c98a977e0711cc93ee28b',
      spanID: 'e127af99e3b3e074',
      operationName: 'okay',
      references: [{ refType: 'CHILD_OF', traceID: '83a9efd15c1c98a977e0711cc93ee28b', spanID: '00000000000000aa' }],
      startTime: 1_763_600_000_123_456,
      duration: 123,
      tags: [
        { key: 'otel.scope.name', type: 'string', value: 'gen' },
        { key: 'peer.service', type: 'string', value: 'client' },
        { key: 'net.peer.ip', type: 'string', value: '1.2.3.4' },
        { key: 'span.kind', type: 'string', value: 'server' },
      ],
      logs: [],
      processID: 'p1',
      warnings: null,
    };
    const { status, text } = await post(requestOf(one, one));
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      data: [
        {
          traceID: shown.traceID,
          spans: [shown, shown],
          processes: { p1: { serviceName: 'generator', tags: [] } },
          warnings: null,
        },
      ],
      total: 0,
      limit: 0,
      offset: 0,
      errors: null,
    });
  });

  test('mixed traces are told apart, in the order they are met; nothing is stored', async () => {
    const [a, b] = ['a', 'b'].map((digit) => digit.repeat(32)) as [string, string];
    const { text } = await post(
      requestOf(spanJson(b, '1'.repeat(16)), spanJson(a, '2'.repeat(16)), spanJson(b, '3'.repeat(16))),
    );
    const { data: traces } = JSON.parse(text) as { data: { traceID: string; spans: unknown[] }[] };
    expect(traces.map(({ traceID, spans }) => [traceID, spans.length])).toEqual([
      [b, 2],
      [a, 1],
    ]);
    expect(await data('/api/services')).toEqual([]);
    expect(JSON.parse((await post('{"resourceSpans":[]}')).text)).toMatchObject({ data: [] });
  });

  test('what is no OTLP, too large or compressed in an unknown way is refused', async () => {
    const { status, text } = await post('{"resourceSpans":7}');
    expect([status, text]).toEqual([400, expect.stringContaining('"msg":"cannot unmarshal OTLP : ')]);
    expect((await post('nothing')).status).toBe(400);
    expect((await post(`{"x":"${'y'.repeat(1 << 20)}"}`)).status).toBe(413);
    expect((await post('{}', { 'content-encoding': 'lzma' })).status).toBe(415);
    expect((await get('/api/transform')).status).toBe(404);
  });
});
