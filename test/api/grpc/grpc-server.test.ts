// The life of the two listeners: what becomes of calls under way when they close, and of an address that is taken.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { OTLP_GRPC_PATH } from '../../../src/api/otlp-in/otlp-grpc.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { openGrpcListener } from '../../support/grpc-listener.ts';
import { callExport } from '../../support/node-client.ts';
import { RUDE_ACTS, RudeClients } from '../../support/rude-clients.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';

const protobuf = Buffer.from(encodeRequest({ resourceSpans: [{}] }));
const asIs = (bytes: Buffer): Buffer => bytes;

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});

function openClient(port: number): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure());
}

function call(client: Client, path: string = OTLP_GRPC_PATH): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, asIs, asIs, protobuf, (error, reply) => {
      if (error === null) resolve(reply ?? Buffer.alloc(0));
      else reject(error);
    });
  });
}

async function refusalOf(pending: Promise<unknown>): Promise<ServiceError> {
  return await pending.then(
    () => Promise.reject(new Error('expected the call to fail')),
    (error: ServiceError) => error,
  );
}

describe('close', () => {
  test('waits for a call under way', async () => {
    const own = await openEdgeServers();
    let open = (): void => undefined;
    own.store.gate = new Promise((resolve) => (open = resolve));
    const ownClient = openClient(own.grpc.port);
    const pending = call(ownClient);
    await expect.poll(() => own.store.attempts).toBe(1);
    const closed = own.grpc.close();
    open();
    expect(await pending).toHaveLength(0);
    await closed;
    ownClient.close();
    await own.http.close();
  });

  test('ends at the deadline when a call does not', async () => {
    const own = await openEdgeServers({ flags: ['-http.maxGracefulShutdownDuration=50ms'] });
    own.store.gate = new Promise(() => undefined);
    const ownClient = openClient(own.grpc.port);
    const pending = refusalOf(call(ownClient));
    const pendingHttp = own
      .post(protobuf, { 'content-type': 'application/x-protobuf' })
      .catch((error: unknown) => error);
    await expect.poll(() => own.store.attempts).toBe(2);
    await own[Symbol.asyncDispose]();
    expect([status.UNAVAILABLE, status.CANCELLED]).toContain((await pending).code);
    expect(await pendingHttp).toBeInstanceOf(Error);
    ownClient.close();
  });

  test('waits for no client that was refused, or that never speaks', async () => {
    const own = await openEdgeServers();
    const ownClient = openClient(own.grpc.port);
    expect((await refusalOf(call(ownClient, '/unknown'))).code).toBe(status.UNIMPLEMENTED);
    const silent = connect(own.grpc.port, '127.0.0.1');
    await once(silent, 'connect');
    // Ends without its deadline, which would be 7 s away.
    await own.grpc.close();
    silent.destroy();
    ownClient.close();
    await own.http.close();
  });

  test.each(Object.keys(RUDE_ACTS))('ends at the deadline, whatever holds it: %s', async (act) => {
    const own = await openEdgeServers({ flags: ['-http.maxGracefulShutdownDuration=300ms'] });
    await using jaeger = await openGrpcListener({ shutdownMax: '300ms' });
    using rude = new RudeClients();
    await rude.do(act, { http: own.http.port, otlpGrpc: own.grpc.port, grpc: Number(jaeger.address.split(':')[1]) });
    // Whoever comes after is served, and behind it the rude ones have been heard.
    expect((await own.send({ method: 'GET', path: '/health' })).status).toBe(200);
    expect(await callExport(`127.0.0.1:${own.grpc.port}`, protobuf)).toHaveLength(0);
    await jaeger.client.getServices();
    await Promise.all([own[Symbol.asyncDispose](), jaeger.close()]);
  });

  test('an address in use says so', async () => {
    await expect(openEdgeServers({ flags: [`-otlpGRPCListenAddr=127.0.0.1:${edge.grpc.port}`] })).rejects.toThrow(
      /-otlpGRPCListenAddr=127\.0\.0\.1:\d+: cannot listen/,
    );
    await expect(openEdgeServers({ flags: [`-httpListenAddr=127.0.0.1:${edge.http.port}`] })).rejects.toThrow(
      /-httpListenAddr=127\.0\.0\.1:\d+: cannot listen: .*EADDRINUSE/,
    );
  });
});
