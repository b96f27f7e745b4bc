// What every gRPC method has from the layer below it: tenant, statuses, warnings, cancellation, deadline, and a stream that
// goes at the pace of its client.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { status, type ServiceError } from '@grpc/grpc-js';
import { FairBudget } from '../../../src/base/fair-budget.ts';
import { OPEN_ACCESS } from '../../../src/api/access/access.ts';
import { BodyPool } from '../../../src/api/http/body-pool.ts';
import { IntakeAccount } from '../../../src/api/edge/intake.ts';
import { registerService } from '../../../src/api/grpc/grpc-call.ts';
import { openGrpcServer } from '../../../src/api/grpc/grpc-server.ts';
import { StoreError } from '../../../src/base/errors.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';
import { decodeRetrySeconds, decodeRpcStatus } from '../../support/otlp-proto.ts';
import { RICH_TRACE, RICH_TRACE_ID } from '../../support/rich-trace.ts';
import { StorageClient } from '../../support/storage-client.ts';
import type { Tenant } from '../../../src/trace/tenant.ts';

let listener: GrpcListener;
beforeAll(async () => {
  listener = await openGrpcListener();
});
afterAll(async () => {
  await listener[Symbol.asyncDispose]();
});
beforeEach(() => listener.reader.clear());

async function refusalOf(pending: Promise<unknown>): Promise<ServiceError> {
  return await pending.then(
    () => Promise.reject(new Error('expected the call to fail')),
    (error: ServiceError) => error,
  );
}

const services = (metadata: Record<string, string>): Promise<readonly string[]> =>
  listener.client.getServices(undefined, { metadata });

describe('the tenant', () => {
  test.each([
    [{}, '0:0'],
    [{ accountid: '3', projectid: '4' }, '3:4'],
    [{ 'x-tenant': '3' }, '3:0'],
    [{ 'x-tenant': '3:4' }, '3:4'],
    [{ 'x-tenant': '3', accountid: '3', projectid: '0' }, '3:0'],
  ])('of %j is %s', async (metadata, tenant) => {
    listener.reader.add(RICH_TRACE, tenant as Tenant);
    expect(await services(metadata as Record<string, string>)).not.toEqual([]);
  });

  test.each([
    [{ accountid: 'x' }, /^header AccountID: expected a decimal number/],
    [{ 'x-tenant': 'acme' }, /^x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal, got "acme"$/],
    [{ 'x-tenant': '3', accountid: '4' }, /^x-tenant "3" and AccountID:ProjectID 4:0 differ: send one of them$/],
    [{ 'x-tenant': '4294967296' }, /^header AccountID: /],
  ])('%j is refused, for reading and for writing', async (metadata, text) => {
    const options = { metadata: metadata as Record<string, string> };
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    for (const pending of [
      services(options.metadata),
      listener.client.unary({ path, request: 'Empty', message: {}, options }),
    ]) {
      const error = await refusalOf(pending);
      expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, expect.stringMatching(text)]);
    }
  });
});

test.each([
  ['GetServices', 'Empty', {}],
  ['GetOperations', 'OperationsOf', { service: 'frontend' }],
] as const)('what %s lacks stands in its trailer', async (method, request, message) => {
  listener.reader.warnings = ['part 7 is lost'];
  const call = { path: `/jaeger.storage.v2.TraceReader/${method}`, request, message };
  // On the wire a unary answer is a stream of one message.
  const { trailer } = await listener.client.stream(call);
  expect(trailer.get('tracelith-warning')).toEqual(['part 7 is lost']);
});

test('where a trace that is not found may have been stands in the refusal', async () => {
  listener.reader.warnings = ['a', 'b', 'c', 'd'];
  const call = {
    path: '/jaeger.api_v2.QueryService/GetTrace',
    request: 'BytesTrace',
    message: { traceId: RICH_TRACE_ID },
  };
  const error = await refusalOf(listener.client.stream(call));
  expect([error.code, error.details]).toEqual([
    status.NOT_FOUND,
    'trace not found; it may be in what is damaged or lost: a; b; c; 1 more',
  ]);
});

describe('a failure', () => {
  test('that is a bug keeps its text to itself', async () => {
    listener.reader.failure = new Error('secret');
    const error = await refusalOf(listener.client.findTraces({}));
    expect([error.code, error.details]).toEqual([status.INTERNAL, 'internal error; the log of the server says more']);
    expect(listener.logLines.at(-1)).toContain('secret');
  });

  test.each([
    ['INVALID_REQUEST', status.INVALID_ARGUMENT, undefined],
    ['OVERLOADED', status.RESOURCE_EXHAUSTED, 1n],
    ['UNAVAILABLE', status.UNAVAILABLE, 2n],
    ['TIMEOUT', status.DEADLINE_EXCEEDED, undefined],
    ['CORRUPTION', status.INTERNAL, undefined],
  ] as const)('%s is code %i, with RetryInfo of %s s, unary and streamed', async (code, grpcCode, seconds) => {
    listener.reader.failure = new StoreError(code, 'why: žluť %');
    for (const pending of [listener.client.getServices(), listener.client.getTraces([RICH_TRACE_ID])]) {
      const error = await refusalOf(pending);
      expect([error.code, error.details]).toEqual([grpcCode, 'why: žluť %']);
      const [details] = error.metadata.get('grpc-status-details-bin');
      const decoded = decodeRpcStatus(details as Buffer);
      expect([decoded.code, decoded.message]).toEqual([grpcCode, 'why: žluť %']);
      const [retry] = decoded.details ?? [];
      expect(retry?.value && decodeRetrySeconds(retry.value)).toBe(seconds);
    }
  });

  test('a malformed message names what it should have been', async () => {
    // A length beyond the end.
    const call = {
      path: '/jaeger.storage.v2.TraceReader/GetTraces',
      request: 'HealthOf',
      message: { service: '\x0a' },
    };
    const error = await refusalOf(listener.client.stream(call));
    expect([error.code, error.details]).toEqual([
      status.INVALID_ARGUMENT,
      expect.stringMatching(/^malformed GetTracesRequest: /),
    ]);
  });

  test('before the store is open calls are UNAVAILABLE', async () => {
    listener.ready.isReady = false;
    const errors = [await refusalOf(listener.client.getServices()), await refusalOf(listener.client.findTraces({}))];
    listener.ready.isReady = true;
    expect(errors.map(({ code }) => code)).toEqual([status.UNAVAILABLE, status.UNAVAILABLE]);
  });

  test('an unknown method is UNIMPLEMENTED', async () => {
    const call = { path: '/jaeger.storage.v2.TraceReader/Purge', request: 'Empty', message: {} };
    expect((await refusalOf(listener.client.unary(call))).code).toBe(status.UNIMPLEMENTED);
  });

  test('answers are counted by method, errors apart from what clients asked wrong', async () => {
    const text = await listener.metrics.render();
    const count = (name: string, more = ''): number =>
      Number(new RegExp(`${name}{path="/jaeger.storage.v2.TraceReader/GetTraces"${more}} (\\d+)`).exec(text)?.[1]);
    expect([count('vt_http_requests_total'), count('vt_http_errors_total')]).toEqual([6, 3]);
    const refused = (code: string): number => count('tracelith_requests_refused_total', `,code="${code}"`);
    expect(['400', '429'].map(refused)).toEqual([2, 1]);
  });
});

test.each([
  ['/jaeger.storage.v2.DependencyReader/GetDependencies', 'Window', {}],
  ['/jaeger.api_v3.QueryService/GetDependencies', 'Window', { startTime: { seconds: '1' }, endTime: { seconds: '2' } }],
  [
    '/jaeger.api_v2.metrics.MetricsQueryService/GetCallRates',
    'MetricsOf',
    { baseRequest: { serviceNames: ['shop'], endTime: { seconds: '100000' } } },
  ],
])('%s tells in its trailer what it lacks', async (path, request, message) => {
  expect((await listener.client.trailerOf({ path, request, message })).get('tracelith-warning')).toEqual([]);
  listener.reader.warnings = ['the roll-ups of a part are damaged'];
  const trailer = await listener.client.trailerOf({ path, request, message });
  expect(trailer.get('tracelith-warning')).toEqual(['the roll-ups of a part are damaged']);
});

describe('a call without an end of its own', () => {
  test('is ended by the server, unary and streamed, and its reader stopped', async () => {
    await using hasty = await openGrpcListener({ flags: ['-grpc.maxCallDuration=50ms'] });
    let open = (): void => undefined;
    hasty.reader.gate = new Promise((resolve) => (open = resolve));
    for (const pending of [hasty.client.getServices(), hasty.client.getTraces([RICH_TRACE_ID])]) {
      expect(await refusalOf(pending)).toMatchObject({
        code: status.DEADLINE_EXCEEDED,
        details: 'the call took longer than 50 ms (-grpc.maxCallDuration); ask for less at a time',
      });
    }
    await expect.poll(() => hasty.reader.signals.map((signal) => signal?.aborted)).toEqual([true, true]);
    open();
  });

  test('is ended sooner when its client says so', async () => {
    await using patient = await openGrpcListener({ flags: ['-grpc.maxCallDuration=1h'] });
    let open = (): void => undefined;
    patient.reader.gate = new Promise((resolve) => (open = resolve));
    const error = await refusalOf(patient.client.getServices(undefined, { timeoutMs: 50 }));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => patient.reader.signals[0]?.aborted).toBe(true);
    open();
  });

  test('goes on where it watches something', async () => {
    await using hasty = await openGrpcListener({ flags: ['-grpc.maxCallDuration=50ms'] });
    const watched: number[] = [];
    const watching = { path: '/grpc.health.v1.Health/Watch', request: 'HealthOf', message: { service: '' } };
    const stream = hasty.client.open(watching);
    stream.on('data', (reply: Buffer) => void watched.push(reply[1]!)).on('error', () => undefined);
    await expect.poll(() => watched).toEqual([1]);
    // A call that began later has passed its end by now.
    hasty.reader.gate = new Promise(() => undefined);
    await refusalOf(hasty.client.getServices());
    hasty.ready.isReady = false;
    await expect.poll(() => watched).toEqual([1, 2]);
    stream.cancel();
  });
});

describe('a stream', () => {
  const path = '/jaeger.storage.v2.TraceReader/GetTraces';
  const ask = { path, request: 'TraceHints', message: { query: [{ traceId: RICH_TRACE_ID }] } };

  test('tells in its trailer what it lacks, in ASCII and bounded', async () => {
    listener.reader.add(RICH_TRACE);
    listener.reader.warnings = ['block žluť is damaged', ...Array.from({ length: 20 }, () => 'x'.repeat(1_000))];
    const { trailer } = await listener.client.getTraces([RICH_TRACE_ID]);
    // grpc-js shows the entries of one name as one.
    expect(trailer.get('tracelith-warning').join(', ')).toBe(
      ['block ?lu? is damaged', ...Array.from({ length: 7 }, () => 'x'.repeat(400))].join(', '),
    );
  });

  test('whose client leaves stops the reader', async () => {
    let open = (): void => undefined;
    listener.reader.gate = new Promise((resolve) => (open = resolve));
    const stream = listener.client.open(ask);
    stream.on('error', () => undefined);
    await expect.poll(() => listener.reader.signals.length).toBe(1);
    expect(listener.reader.signals[0]!.aborted).toBe(false);
    stream.cancel();
    await expect.poll(() => listener.reader.signals[0]!.aborted).toBe(true);
    open();
  });

  test('whose deadline passes stops the reader', async () => {
    let open = (): void => undefined;
    listener.reader.gate = new Promise((resolve) => (open = resolve));
    const error = await refusalOf(listener.client.getTraces([RICH_TRACE_ID], { timeoutMs: 50 }));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => listener.reader.signals[0]?.aborted).toBe(true);
    open();
  });

  /** A server whose GetTraces makes 100 messages of 512 KiB. */
  async function openMaker(stallMsMax: number) {
    const state = { made: 0, isOver: false };
    const GetTraces = async function* () {
      try {
        for (; state.made < 100; state.made++) yield new Uint8Array(512 << 10);
      } finally {
        state.isOver = true;
      }
    };
    const logger = createLogger({ write: () => undefined });
    const methods = { unary: {}, streams: { GetTraces } };
    const server = await openGrpcServer({
      flag: 'test',
      listenAddr: { host: '127.0.0.1', port: 0 },
      connectionsMax: 10,
      shutdownMaxMs: 0,
      access: OPEN_ACCESS,
      intake: { open: (tenant) => new IntakeAccount(new FairBudget(1 << 20), tenant) },
      bodies: new BodyPool(),
      metrics: {
        countRequest: () => undefined,
        watchConnections: () => undefined,
        watchCertificate: () => undefined,
      },
      logger,
      register: (table) =>
        registerService(table, 'jaeger.storage.v2.TraceReader', methods, { isReady: () => true, stallMsMax }),
    });
    const client = new StorageClient(`127.0.0.1:${server.port}`);
    const dispose = async (): Promise<void> => {
      client[Symbol.dispose]();
      await server.close();
    };
    return { state, client, [Symbol.asyncDispose]: dispose };
  }

  test('is made at the pace at which its client takes it', async () => {
    await using maker = await openMaker(60_000);
    const stream = maker.client.open(ask);
    let taken = 0;
    stream.once('data', () => stream.pause());
    stream.on('data', () => taken++);
    await expect.poll(() => taken).toBe(1);
    // Nothing tells that no further message will be made but time.
    await delay(200);
    expect(maker.state.made).toBeLessThan(20);
    stream.resume();
    await new Promise((resolve) => stream.on('end', resolve));
    expect([maker.state.made, taken]).toEqual([100, 100]);
  });

  test('ends when its client takes nothing for too long', async () => {
    await using maker = await openMaker(50);
    const stream = maker.client.open(ask);
    const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    stream.once('data', () => stream.pause());
    await expect.poll(() => maker.state.isOver).toBe(true);
    expect(maker.state.made).toBeLessThan(20);
    // What was sent before is still taken, and then the reason.
    stream.resume();
    expect(await ended).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      details: 'the client took nothing of its stream for 50 ms',
    });
  });

  test('counts against the budget of answers until its client has taken it', async () => {
    const span = { traceId: RICH_TRACE_ID, spanId: new Uint8Array(8).fill(1), name: 'x'.repeat(200_000) };
    listener.reader.add({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    const session = connect(`http://${listener.address}`, { settings: { initialWindowSize: 0 } });
    const path = '/jaeger.storage.v2.TraceReader/GetTraces';
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    const ask = Buffer.concat([Buffer.from([0, 0, 0, 0, 20, 0x0a, 18, 0x0a, 16]), RICH_TRACE_ID]);
    stream.on('error', () => undefined).end(ask);
    await once(stream, 'response');
    // Nothing tells that it will stay so but time.
    await delay(100);
    expect(listener.answers.bytes).toBeGreaterThan(200_000);
    session.destroy();
    await expect.poll(() => listener.answers.bytes).toBe(0);
  });
});
