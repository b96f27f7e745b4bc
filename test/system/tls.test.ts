// TLS of the real program on every port, client certificates as logins, and certificates that change while clients send.
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { request, type Agent, Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { connect, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNode, type TestNode } from '../support/node-process.ts';
import { hasOpenssl, MadeCertificates, type MadeCertificate } from '../support/made-certificates.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const folder = new TemporaryFolder();
const otlp = Buffer.from(encodeRequest(oneSpan(1)));
const auth = {
  certificates: [
    { san: 'URI:spiffe://example/collector', scopes: ['ingest'], tenants: ['0:0'] },
    { san: 'DNS:ann.example', scopes: ['query', 'admin'], tenants: ['*'] },
  ],
};

type Client = Pick<ConnectionOptions, 'cert' | 'key' | 'ca' | 'minVersion' | 'maxVersion'>;

/** The status of a request over HTTPS; rejects with the error of the connection. */
function https(port: number, options: Client & { method?: string; path: string; agent?: Agent }): Promise<number> {
  const { method = 'GET', ...rest } = options;
  const headers = method === 'POST' ? { 'content-type': 'application/x-protobuf' } : {};
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', servername: 'localhost', port, method, headers, ...rest }, (answer) =>
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0)),
    );
    sent.on('error', reject).end(method === 'POST' ? otlp : undefined);
  });
}

/** The gRPC status of an Export, '' for success; 'refused' when no answer came. */
function exportOver(session: ClientHttp2Session): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    let status = 'refused';
    stream.on('response', (headers) => (status = String(headers['grpc-status'] ?? '')));
    stream
      .on('error', reject)
      .on('close', () => resolve(status))
      .resume();
    const head = Buffer.alloc(5);
    head.writeUInt32BE(otlp.length, 1);
    stream.end(Buffer.concat([head, otlp]));
  });
}

function grpcSession(address: string, client: Client): ClientHttp2Session {
  return connectHttp2(`https://${address}`, { servername: 'localhost', ...client }).on('error', () => undefined);
}

function peerOf(port: number, ca: string): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca, ALPNProtocols: ['h2', 'http/1.1'] });
    socket.on('error', reject).on('secureConnect', () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
  });
}

describe.skipIf(!hasOpenssl)('TLS (openssl makes the certificates)', () => {
  let authority: MadeCertificates;
  let server: MadeCertificate;
  let collector: MadeCertificate;
  let ann: MadeCertificate;
  let node: TestNode;
  let jaegerPort: number;
  let grpcPort: number;

  beforeAll(async () => {
    authority = new MadeCertificates();
    server = authority.make('DNS:localhost');
    collector = authority.make('URI:spiffe://example/collector');
    ann = authority.make('DNS:ann.example');
    const file = join(folder.path, 'auth.json');
    writeFileSync(file, JSON.stringify(auth));
    const flags = ['', 'otlpGRPC.', 'grpc.'].flatMap((prefix) => [
      `-${prefix}tls`,
      `-${prefix}tlsCertFile=${server.certFile}`,
      `-${prefix}tlsKeyFile=${server.keyFile}`,
      `-${prefix}mtlsCAFile=${authority.caFile}`,
    ]);
    node = await startNode({ flags: [...flags, '-otlpGRPC.mtls', `-auth.config=${file}`, '-metricsAuthKey=key'] });
    jaegerPort = Number(node.jaegerAddress.split(':')[1]);
    grpcPort = Number(node.grpcAddress.split(':')[1]);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const as = (who?: MadeCertificate): Client => ({
    ca: authority.ca,
    ...(who === undefined ? {} : { cert: who.cert, key: who.key }),
  });

  test('a certificate logs in who its name says, over HTTP and gRPC', async () => {
    const post = { method: 'POST', path: '/v1/traces' };
    expect(await https(node.httpPort, { ...as(collector), ...post })).toBe(200);
    expect(await https(node.httpPort, { ...as(collector), path: '/api/services' })).toBe(403);
    expect(await https(node.httpPort, { ...as(ann), path: '/api/services' })).toBe(200);
    expect(await https(node.httpPort, { ...as(ann), ...post })).toBe(403);
    expect(await https(node.httpPort, { ...as(), ...post })).toBe(401);
    for (const [who, status] of [
      [collector, ''],
      [ann, '7'],
      [undefined, '16'],
    ] as const) {
      const session = grpcSession(node.jaegerAddress, as(who));
      expect(await exportOver(session)).toBe(status);
      session.destroy();
    }
  });

  test('where one is required, nobody connects without, nor with one of another authority', async () => {
    using other = new MadeCertificates();
    const stranger = other.make('URI:spiffe://example/collector');
    for (const [who, isIn] of [
      [collector, true],
      [undefined, false],
      [stranger, false],
    ] as const) {
      const session = grpcSession(node.grpcAddress, as(who));
      const status = await exportOver(session).catch(() => 'refused');
      expect([who === collector, status]).toEqual([isIn, isIn ? '' : 'refused']);
      session.destroy();
    }
    // Where it is optional, one of another authority counts as none.
    expect(await https(node.httpPort, { ...as(stranger), method: 'POST', path: '/v1/traces' })).toBe(401);
  });

  test('versions before TLS 1.2, and clients without TLS, are refused', async () => {
    for (const port of [node.httpPort, grpcPort, jaegerPort]) {
      const old = { ...as(collector), maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' } as const;
      await expect(https(port, { ...old, path: '/health' })).rejects.toThrow();
      await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    }
    const twelve = { ...as(ann), maxVersion: 'TLSv1.2' } as const;
    expect(await https(node.httpPort, { ...twelve, path: '/api/services' })).toBe(200);
  });

  test('a changed certificate is taken up on every port while clients send, and no request fails', async () => {
    const ports = [node.httpPort, grpcPort, jaegerPort];
    const before = await Promise.all(ports.map((port) => peerOf(port, authority.ca)));
    const isOver = { value: false };
    const sent: (number | string)[] = [];
    const sendHttp = async (agent: Agent | undefined): Promise<void> => {
      const post = { ...as(collector), method: 'POST', path: '/v1/traces', ...(agent === undefined ? {} : { agent }) };
      while (!isOver.value) sent.push(await https(node.httpPort, post).catch((error: Error) => error.message));
    };
    const sendGrpc = async (address: string): Promise<void> => {
      const kept = grpcSession(address, as(collector));
      while (!isOver.value) {
        sent.push(await exportOver(kept).catch((error: Error) => error.message));
        const fresh = grpcSession(address, as(collector));
        sent.push(await exportOver(fresh).catch((error: Error) => error.message));
        fresh.destroy();
      }
      kept.destroy();
    };
    const keepAlive = new HttpsAgent({ keepAlive: true });
    const senders = [
      sendHttp(keepAlive),
      sendHttp(undefined),
      sendGrpc(node.grpcAddress),
      sendGrpc(node.jaegerAddress),
    ];
    authority.replace(server, authority.make('DNS:localhost'));
    const after = async (): Promise<boolean> => {
      const now = await Promise.all(ports.map((port) => peerOf(port, authority.ca)));
      return now.every((peer, i) => peer.fingerprint256 !== before[i]!.fingerprint256);
    };
    await expect.poll(after, { timeout: 20_000, interval: 200 }).toBe(true);
    isOver.value = true;
    await Promise.all(senders);
    keepAlive.destroy();
    expect(sent.length).toBeGreaterThan(50);
    expect(sent.filter((status) => status !== 200 && status !== '')).toEqual([]);
  });

  test('files that do not fit leave the certificate before in use, and the log says so', async () => {
    const kept = await peerOf(node.httpPort, authority.ca);
    writeFileSync(server.keyFile, authority.make('DNS:localhost').key);
    await expect.poll(() => node.log(), { timeout: 10_000 }).toContain('a certificate cannot be taken up');
    expect((await peerOf(node.httpPort, authority.ca)).fingerprint256).toBe(kept.fingerprint256);
  });

  test('the end of each certificate is in the metrics', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const path = '/metrics?authKey=key';
      request({ host: '127.0.0.1', servername: 'localhost', port: node.httpPort, path, ...as() }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        answer.on('end', () => resolve(body));
      })
        .on('error', reject)
        .end();
    });
    const ends = [...text.matchAll(/^tracelith_tls_certificate_expiry_timestamp_seconds\{name="([\w.]+)"\} (\d+)$/gm)];
    expect(new Set(ends.map(([, name]) => name))).toEqual(
      new Set(['grpc.listenAddr', 'httpListenAddr', 'otlpGRPCListenAddr']),
    );
    for (const [, , seconds] of ends) expect(Number(seconds)).toBeGreaterThan(Date.now() / 1_000 + 86_400);
    // Connections end where TLS does: none is left over in the gauge.
    expect(text).toMatch(/^vm_tcplistener_conns\{name="httpListenAddr"\} [1-9]\d?$/m);
  });
});
