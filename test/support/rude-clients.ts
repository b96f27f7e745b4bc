// Clients that do what none should: connections that say nothing, requests that never end, answers that nobody reads, calls
// that are refused. Each holds its socket open until it is disposed, whatever the server does.
import { once } from 'node:events';
import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';

/** Where a node listens; host is 127.0.0.1. */
export interface Ports {
  readonly http: number;
  readonly otlpHttp: number;
  readonly otlpGrpc: number;
  readonly grpc: number;
}

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const WATCH = '/grpc.health.v1.Health/Watch';
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

async function openSocket(port: number): Promise<Socket> {
  // Does not close when the server does.
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** An HTTP/2 connection on a socket that outlives what the server says of it. */
async function openSession(port: number): Promise<ClientHttp2Session> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  await once(session, 'connect');
  return session;
}

function call(session: ClientHttp2Session, path: string, headers: Readonly<Record<string, string>> = {}) {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream;
}

/** A gRPC message as it goes over the wire. */
function framed(bytes: Uint8Array, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(Number(isCompressed), 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

async function answered(stream: ClientHttp2Stream): Promise<void> {
  stream.resume();
  await once(stream, 'response');
}

/** What stays open: destroyed at the end of the test. */
type Held = { destroy(): unknown };

const onHttp = {
  'an idle socket': async ({ http }: Ports): Promise<Held> => openSocket(http),
  'an idle keep-alive connection': async ({ http }: Ports): Promise<Held> => {
    const socket = await openSocket(http);
    socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'data');
    return socket;
  },
  'half a header': async ({ http }: Ports): Promise<Held> => {
    const socket = await openSocket(http);
    socket.write('POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-le');
    return socket;
  },
  'a slow upload': async ({ http }: Ports): Promise<Held> => {
    const socket = await openSocket(http);
    socket.write('POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n');
    socket.write('content-length: 1000000\r\n\r\nabc');
    return socket;
  },
  'requests whose answers nobody reads': async ({ http }: Ports): Promise<Held> => {
    const socket = await openSocket(http);
    socket.pause();
    socket.write('GET /flags HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500));
    return socket;
  },
} as const;

const onGrpc = {
  'an idle socket on a gRPC port': async ({ otlpGrpc }: Ports): Promise<Held> => openSocket(otlpGrpc),
  'HTTP/1.1 on a gRPC port': async ({ grpc }: Ports): Promise<Held> => {
    const socket = await openSocket(grpc);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    return socket;
  },
  'an idle session': async ({ grpc }: Ports): Promise<Held> => openSession(grpc),
  'a call whose message does not come': async ({ otlpGrpc }: Ports): Promise<Held> => {
    const session = await openSession(otlpGrpc);
    call(session, EXPORT);
    return session;
  },
  'half a message': async ({ otlpGrpc }: Ports): Promise<Held> => {
    const session = await openSession(otlpGrpc);
    call(session, EXPORT).write(framed(new Uint8Array(1_000)).subarray(0, 100));
    return session;
  },
  'a message without an end of the stream': async ({ otlpGrpc }: Ports): Promise<Held> => {
    const session = await openSession(otlpGrpc);
    call(session, EXPORT).write(framed(new Uint8Array(0)));
    return session;
  },
  'a refused encoding': async ({ otlpGrpc }: Ports): Promise<Held> => {
    const session = await openSession(otlpGrpc);
    const stream = call(session, EXPORT, { 'grpc-encoding': 'br' });
    stream.end(framed(Buffer.from('no such encoding'), true));
    await answered(stream);
    return session;
  },
  'an unknown method': async ({ grpc }: Ports): Promise<Held> => {
    const session = await openSession(grpc);
    const stream = call(session, '/no.such.Service/Method');
    stream.write(framed(new Uint8Array(0)));
    await answered(stream);
    return session;
  },
  'an open stream that is read': async ({ grpc }: Ports): Promise<Held> => {
    const session = await openSession(grpc);
    const stream = call(session, WATCH);
    stream.end(framed(new Uint8Array(0)));
    await answered(stream);
    return session;
  },
  'a bidirectional stream': async ({ grpc }: Ports): Promise<Held> => {
    const session = await openSession(grpc);
    call(session, REFLECTION).write(framed(new Uint8Array(0)));
    return session;
  },
  'a client that reads nothing': async ({ grpc }: Ports): Promise<Held> => {
    const session = await openSession(grpc);
    const symbol = Buffer.from('jaeger.storage.v2.TraceReader');
    // file_containing_symbol = 4: tens of KB each, more together than HTTP/2 lets the server send unread.
    const question = framed(Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]));
    for (let i = 0; i < 20; i++) call(session, REFLECTION).write(question);
    return session;
  },
} as const;

export const RUDE_ACTS: Readonly<Record<string, (ports: Ports) => Promise<Held>>> = { ...onHttp, ...onGrpc };

/** Holds what rude clients opened. */
export class RudeClients implements Disposable {
  readonly #held: Held[] = [];

  async do(act: string, ports: Ports): Promise<void> {
    this.#held.push(await RUDE_ACTS[act]!(ports));
  }

  [Symbol.dispose](): void {
    for (const held of this.#held) held.destroy();
  }
}
