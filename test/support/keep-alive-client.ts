// A small HTTP/1.1 client over kept-alive loopback connections: one reply per call, nothing retried, nothing rewritten, so
// that a caller knows exactly which of its requests were answered.
import { Agent, request, type OutgoingHttpHeaders } from 'node:http';

export interface ClientRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
}

export interface ClientReply {
  readonly status: number;
  readonly body: Buffer;
}

/** A server that says nothing for this long has failed the test. */
const SILENCE_MAX_MS = 60_000;

export class KeepAliveClient implements Disposable {
  readonly #port: number;
  readonly #agent: Agent;

  constructor(port: number, connections: number) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Rejects when the connection ends before the whole reply is there. */
  send({ method, path, headers = {}, body }: ClientRequest): Promise<ClientReply> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': body.length };
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        agent: this.#agent,
        timeout: SILENCE_MAX_MS,
        method,
        path,
        headers: { ...headers, ...length },
      };
      const sent = request(options, (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk: Buffer) => chunks.push(chunk));
        reply.on('error', reject);
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks) }));
      });
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer for ${SILENCE_MAX_MS} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** The body of a 200, parsed. Throws with status and the body's beginning otherwise. */
  async getJson(path: string, headers: OutgoingHttpHeaders = {}): Promise<unknown> {
    return JSON.parse(await this.getText(path, headers));
  }

  /** The body of a 200. Throws with status and the body's beginning otherwise. */
  async getText(path: string, headers: OutgoingHttpHeaders = {}): Promise<string> {
    const { status, body } = await this.send({ method: 'GET', path, headers });
    const text = body.toString('utf8');
    if (status !== 200) throw new Error(`GET ${path}: status ${status}: ${text.slice(0, 300)}`);
    return text;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** Runs `action` on every item, at most `concurrent` at once; the first failure ends it. */
export async function forEachOf<T>(
  items: Iterable<T>,
  concurrent: number,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const shared = items[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = shared.next(); next.done !== true; next = shared.next()) await action(next.value);
  };
  await Promise.all(Array.from({ length: concurrent }, work));
}
