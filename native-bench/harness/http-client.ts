// A bounded keep-alive HTTP/1.1 client on node:http, for ingest and commands. Ingest is not autocannon's (queries are): it cannot send a
// refused body again, nor count a latency from when a body was due; here each body is acknowledged once and accounted for.
import { Agent, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';

export interface HttpReply {
  readonly status: number;
  readonly body: Buffer;
  /** From the call to the last byte of the reply. */
  readonly ms: number;
  readonly retryAfterSeconds: number | undefined;
}

// A server that does not answer for this long has failed the run.
const replyTimeoutMs = 60_000;

export interface HttpClientOptions {
  /** Sent with every request, a login for example. */
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM of the authority of an https address. */
  readonly ca?: Buffer;
}

export class HttpClient implements Disposable {
  readonly #agent: Agent;
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #request: typeof request;

  constructor(url: string, connections: number, { headers = {}, ca }: HttpClientOptions = {}) {
    this.#base = new URL(url);
    const isTls = this.#base.protocol === 'https:';
    const options = { keepAlive: true, maxSockets: connections };
    this.#agent = isTls ? new TlsAgent({ ...options, ca }) : new Agent(options);
    this.#request = isTls ? tlsRequest : request;
    this.#headers = headers;
  }

  /** An empty body goes without a content type: it is a command, not a document. */
  post(path: string, body: Uint8Array, contentType = 'application/x-protobuf'): Promise<HttpReply> {
    const type = body.length === 0 ? {} : { 'content-type': contentType };
    return this.#send('POST', path, { ...type, 'content-length': body.length }, body);
  }

  get(path: string): Promise<HttpReply> {
    return this.#send('GET', path, {});
  }

  /** GET that must answer 200 with JSON. Throws with status and the body's beginning otherwise. */
  async getJson(path: string): Promise<unknown> {
    const reply = await this.get(path);
    const text = reply.body.toString('utf8');
    if (reply.status !== 200)
      throw new Error(`GET ${this.#base.origin}${path}: status ${reply.status}: ${text.slice(0, 300)}`);
    return JSON.parse(text);
  }

  close(): void {
    this.#agent.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(method: string, path: string, own: Record<string, string | number>, body?: Uint8Array): Promise<HttpReply> {
    const headers = { ...this.#headers, ...own };
    const { hostname, port, pathname } = this.#base;
    const startMs = performance.now();
    return new Promise((resolve, reject) => {
      const fullPath = `${pathname.replace(/\/$/, '')}${path}`;
      const sent = this.#request(
        { hostname, port, method, path: fullPath, headers, agent: this.#agent, timeout: replyTimeoutMs },
        (reply) => {
          const chunks: Buffer[] = [];
          reply.on('data', (chunk: Buffer) => chunks.push(chunk));
          reply.on('error', reject);
          reply.on('end', () => {
            const retryAfter = Number(reply.headers['retry-after']);
            const retryAfterSeconds = Number.isFinite(retryAfter) ? retryAfter : undefined;
            resolve({
              status: reply.statusCode ?? 0,
              body: Buffer.concat(chunks),
              ms: performance.now() - startMs,
              retryAfterSeconds,
            });
          });
        },
      );
      sent.on('timeout', () =>
        sent.destroy(new Error(`${method} ${this.#base.origin}${fullPath}: no answer for ${replyTimeoutMs} ms`)),
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
