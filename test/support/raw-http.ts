// HTTP as it is on the wire: nothing decompressed, nothing added, no retry; for what fetch hides (chunked bodies without a
// length, Content-Encoding, the request target as written).
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { TestNode } from './node-process.ts';

export interface RawRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** Several pieces are sent chunked, without a Content-Length. */
  readonly body?: readonly (Uint8Array | string)[];
}

export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** `target` goes onto the request line as it is. */
export function sendRaw(node: TestNode, target: string, request: RawRequest = {}): Promise<RawReply> {
  const { method = 'GET', headers = {}, body = [] } = request;
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: node.httpPort, path: target, method, headers, agent: false };
    const sent = httpRequest(options, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('error', reject);
      reply.on('end', () => {
        resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on('error', reject);
    if (body.length === 1) sent.setHeader('content-length', Buffer.byteLength(body[0]!));
    for (const piece of body) sent.write(piece);
    sent.end();
  });
}
