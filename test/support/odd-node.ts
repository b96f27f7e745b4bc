// A storage node that need not keep to the protocol between nodes: what it answers to which call, and when, is the test's. Real gRPC
// on a free port.
import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { codecOf, STORAGE_NODE, type NodeDescription } from '../../src/cluster/protocol.ts';

export type OddCall = ServerWritableStream<Buffer, Uint8Array>;
/** `nth`: 1 for the first call of the method. */
export type OddAnswer = (call: OddCall, nth: number) => void;

const describeCodec = codecOf<NodeDescription>('tracelith.cluster.v1.DescribeResponse');
const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export class OddNode implements AsyncDisposable {
  readonly #server = new Server({ 'grpc.max_send_message_length': -1 });
  readonly #calls = new Map<string, number>();
  #port = 0;
  description: NodeDescription;

  private constructor(description: NodeDescription) {
    this.description = description;
  }

  /** `answers` by /package.Service/Method; Describe is answered with `description`. */
  static async open(
    answers: Readonly<Record<string, OddAnswer>> = {},
    description: NodeDescription = { name: 'odd', protocol: 1, instance: 'odd' },
  ): Promise<OddNode> {
    const node = new OddNode(description);
    const describe = (call: OddCall): void => say(call, describeCodec.encode(node.description));
    const all = { [ownPath('Describe')]: describe, ...answers };
    for (const [path, answer] of Object.entries(all)) {
      const shape = { path, requestStream: false, responseStream: true } as const;
      const codec = {
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      };
      node.#server.addService(
        { method: { ...shape, ...codec } },
        {
          method: (call: OddCall) => {
            const nth = node.countOf(path) + 1;
            node.#calls.set(path, nth);
            answer(call, nth);
          },
        },
      );
    }
    node.#port = await new Promise((resolve, reject) => {
      const listening = (error: Error | null, port: number): void => (error === null ? resolve(port) : reject(error));
      node.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), listening);
    });
    return node;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** As -storageNode has it. */
  get source(): { readonly kind: 'address'; readonly host: string; readonly port: number } {
    return { kind: 'address', host: '127.0.0.1', port: this.#port };
  }

  /** Calls of the method so far. */
  countOf(path: string): number {
    return this.#calls.get(path) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}

/** Answers with these messages, and ends the call. */
export function say(call: OddCall, ...messages: readonly Uint8Array[]): void {
  for (const message of messages) call.write(message);
  call.end();
}

/** A method of the nodes' own service. */
export function ownPath(method: string): string {
  return `/${STORAGE_NODE}/${method}`;
}

/** A method of Jaeger's. */
export function jaegerPath(method: string): string {
  return `/jaeger.storage.v2.TraceReader/${method}`;
}
