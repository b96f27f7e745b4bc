// What stands between an exporter and a node on a bad day: the first request is answered 503 (UNAVAILABLE over gRPC) and
// "come back in a second", either without asking the node, or although the node has stored it. All others are passed on.
import { buffer } from 'node:stream/consumers';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metadata, Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { encodeRpcStatus } from '../../src/otlp/rpc-messages.ts';
import { callExport } from './node-client.ts';
import type { TestNode } from './node-process.ts';

/** 'refuse': the node never hears of it. 'lose answer': the node has it, the sender is told otherwise. */
export type Fault = 'refuse' | 'lose answer';

export class FaultyProxy implements AsyncDisposable {
  readonly #node: TestNode;
  readonly #fault: Fault;
  readonly #http = createServer((request, reply) => void this.#forward(request, reply));
  readonly #grpc = new Server();
  /** Requests that came, the failed one included. */
  requests = 0;
  httpUrl = '';
  grpcAddress = '';

  private constructor(node: TestNode, fault: Fault) {
    this.#node = node;
    this.#fault = fault;
  }

  static async open(node: TestNode, fault: Fault): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(node, fault);
    proxy.#http.listen(0, '127.0.0.1');
    await once(proxy.#http, 'listening');
    proxy.httpUrl = `http://127.0.0.1:${(proxy.#http.address() as AddressInfo).port}`;
    proxy.grpcAddress = `127.0.0.1:${await proxy.#listenGrpc()}`;
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  async #forward(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const isFirst = this.requests++ === 0;
    const body = await buffer(request);
    const headers = Object.entries(request.headers).filter(
      ([name]) => name.startsWith('content-') && name !== 'content-length',
    );
    let answer: Response | undefined;
    if (!isFirst || this.#fault !== 'refuse') {
      answer = await fetch(this.#node.url + request.url, {
        method: 'POST',
        headers: headers as [string, string][],
        body,
      });
    }
    if (isFirst) reply.writeHead(503, { 'retry-after': '1' }).end('not now');
    else
      reply
        .writeHead(answer!.status, { 'content-type': answer!.headers.get('content-type')! })
        .end(await answer!.bytes());
  }

  #listenGrpc(): Promise<number> {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const codec = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    const handler = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void =>
      void this.#pass(call, done);
    this.#grpc.addService(
      { Export: { path, requestStream: false, responseStream: false, ...codec } },
      { Export: handler },
    );
    return new Promise((resolve, reject) => {
      this.#grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  }

  async #pass(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): Promise<void> {
    const isFirst = this.requests++ === 0;
    const answer =
      isFirst && this.#fault === 'refuse' ? undefined : await callExport(this.#node.grpcAddress, call.request);
    if (!isFirst) {
      done(null, Buffer.from(answer!));
      return;
    }
    const metadata = new Metadata();
    const code = status.UNAVAILABLE;
    metadata.set('grpc-status-details-bin', encodeRpcStatus({ code, message: 'not now', retrySeconds: 1 }, 'protobuf'));
    done({ code, details: 'not now', metadata });
  }
}
