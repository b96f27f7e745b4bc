// HTTP for a cluster and one node at once: a request is read whole and sent to both, and the answers are compared. Requests of
// operators go to the node and to every storage node instead, because no proxy passes them on; the node's answer is given.
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { showDifference } from './show-difference.ts';

/** No status of a node. */
const DIFFERENT = 599;
const COMPARED_HEADERS = ['content-type', 'content-encoding', 'retry-after', 'x-tracelith-partial', 'vary', 'location'];
const HOP_HEADERS: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);
const DECODERS: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

export interface HttpMirrorOptions {
  readonly clusterUrl: string;
  /** Another one after each start of the node. */
  readonly nodeUrl: () => string;
  readonly storageUrls: readonly string[];
  readonly report: (difference: string) => void;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export class HttpMirror {
  readonly #options: HttpMirrorOptions;
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => {
      response.writeHead(DIFFERENT).end(String(error));
    });
  });

  constructor(options: HttpMirrorOptions) {
    this.#options = options;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clusterUrl, nodeUrl, storageUrls, report } = this.#options;
    const body = await bytesOf(request);
    const isOperators = request.url!.startsWith('/internal/');
    const urls = isOperators ? [nodeUrl(), ...storageUrls] : [clusterUrl, nodeUrl()];
    const [given, ...others] = await Promise.all(urls.map((url) => passOn(url, request, body)));
    if (!isOperators) {
      const difference = compare(`${request.method} ${request.url}`, given!, others[0]!);
      if (difference !== undefined) {
        report(difference);
        response.writeHead(DIFFERENT).end(difference);
        return;
      }
    }
    const headers = Object.entries(given!.headers).filter(([name]) => !HOP_HEADERS.has(name));
    response.writeHead(given!.status, Object.fromEntries(headers)).end(given!.body);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** The request target and the headers as they were written. */
async function passOn(url: string, { method, url: path, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  const { hostname: host, port } = new URL(url);
  const sent = httpRequest({ host, port, path: path!, method: method!, headers, agent: false });
  sent.end(body);
  const [reply] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: reply.statusCode!, headers: reply.headers, body: await bytesOf(reply) };
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function compare(what: string, cluster: Answer, node: Answer): string | undefined {
  const head = ({ status, headers }: Answer): string =>
    JSON.stringify([status, ...COMPARED_HEADERS.map((name) => headers[name] ?? null)]);
  const [clusterText, nodeText] = [cluster, node].map((answer) => `${head(answer)} ${textOf(answer)}`);
  return clusterText === nodeText ? undefined : showDifference(what, clusterText!, nodeText!);
}

/** Compressed bytes depend on the pieces in which they were compressed. */
function textOf({ headers, body }: Answer): string {
  const decode = DECODERS[headers['content-encoding'] ?? ''];
  return (decode === undefined ? body : decode(body)).toString('latin1');
}
