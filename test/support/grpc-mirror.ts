// gRPC for a cluster and one node at once: the bytes of a call are read whole and sent to both, and answers are compared: every
// message, the status and its details. Knows HTTP/2 and nothing of the messages.
import { once } from 'node:events';
import {
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { showDifference } from './show-difference.ts';

const COMPARED = [':status', 'content-type', 'grpc-status', 'grpc-message', 'grpc-status-details-bin', 'grpc-encoding'];
const INTERNAL = '13';

export interface GrpcMirrorOptions {
  /** host:port */
  readonly cluster: string;
  /** Another one after each start of the node. */
  readonly node: () => string;
  readonly report: (difference: string) => void;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  /** undefined: the headers are all there is. */
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: Buffer;
}

export class GrpcMirror {
  readonly #options: GrpcMirrorOptions;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #server = createServer();

  constructor(options: GrpcMirrorOptions) {
    this.#options = options;
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#server.on('stream', (stream, headers) => {
      // The client has gone; what it was sent no longer matters.
      stream.on('error', () => undefined);
      this.#answer(stream, headers).catch((error: unknown) => refuse(stream, String(error)));
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const { cluster, node, report } = this.#options;
    const body = await bytesOf(stream);
    const gone = new AbortController();
    stream.on('close', () => gone.abort());
    const targets = [cluster, node()];
    const [given, other] = await Promise.all(targets.map((target) => passOn(target, headers, body, gone.signal)));
    if (stream.destroyed) return;
    const difference = compare(String(headers[':path']), given!, other!);
    if (difference === undefined) reply(stream, given!);
    else {
      report(difference);
      refuse(stream, difference);
    }
  }

  close(): void {
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
  }
}

async function passOn(
  target: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
  signal: AbortSignal,
): Promise<Answer> {
  const session = connect(`http://${target}`);
  try {
    const stream = session.request({ ...headers, ':authority': target }, { signal });
    // Whoever awaits it below gets the error.
    stream.on('error', () => undefined);
    let trailers: IncomingHttpHeaders | undefined;
    stream.on('trailers', (received) => (trailers = received));
    stream.end(body);
    const [received] = (await Promise.race([
      once(stream, 'response'),
      once(session, 'error').then(([error]) => {
        throw error as Error;
      }),
    ])) as [IncomingHttpHeaders];
    return { headers: received, body: await bytesOf(stream), trailers };
  } finally {
    session.close();
  }
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function compare(path: string, cluster: Answer, node: Answer): string | undefined {
  const [clusterText, nodeText] = [cluster, node].map(({ headers, trailers = {}, body }) => {
    const head = COMPARED.map((name) => trailers[name] ?? headers[name] ?? null);
    return `${JSON.stringify(head)} ${body.toString('latin1')}`;
  });
  return clusterText === nodeText ? undefined : showDifference(path, clusterText!, nodeText!);
}

function reply(stream: ServerHttp2Stream, { headers, trailers, body }: Answer): void {
  if (trailers === undefined && body.length === 0) {
    stream.respond(plain(headers), { endStream: true });
    return;
  }
  stream.on('wantTrailers', () => stream.sendTrailers(plain(trailers ?? {})));
  stream.respond(plain(headers), { waitForTrailers: true });
  stream.end(body);
}

/** Without what HTTP/2 knows by itself. */
function plain(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-length' && name !== 'date'));
}

function refuse(stream: ServerHttp2Stream, why: string): void {
  if (stream.destroyed || stream.headersSent) return;
  const message = encodeURIComponent(why.slice(0, 1_000));
  const headers = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': INTERNAL };
  stream.respond({ ...headers, 'grpc-message': message }, { endStream: true });
  if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
}
