// Calls to one address over gRPC: requests and answers as bytes, the context of a call as metadata, failures as the StoreError
// that the other node had. Two connections: a call that got no answer on the first is made again on the second.
import {
  Client,
  credentials,
  Metadata,
  status,
  type CallOptions,
  type ChannelCredentials,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { limits } from '../base/limits.ts';
import { STORE_ERROR_CODES, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { leftMs, type CallContext } from '../trace/call-context.ts';
import type { Marked } from '../trace/store.ts';
import { tlsRemedy, type NodeTls } from './node-tls.ts';
import {
  ALLOW_PARTIAL_KEY,
  CODE_KEY,
  decodeMarks,
  EXACT_KEY,
  MARKS_KEY,
  LOG_OFFSETS_KEY,
  offsetsText,
} from './protocol.ts';

const CLIENT_OPTIONS = {
  // A trace is one message, and may be as large as a whole answer; the caller bounds their sum.
  'grpc.max_receive_message_length': limits.answerBytesMax + limits.requestOverheadBytes,
  'grpc.max_send_message_length': -1,
  // Otherwise both clients would share one connection.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc-node.flow_control_window': 4 << 20,
} as const;

export interface CallResult {
  readonly message: Uint8Array;
  readonly trailer: Metadata;
}

export interface CallRequest {
  /** /package.Service/Method */
  readonly path: string;
  readonly message: Uint8Array;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Use the second connection. */
  readonly isRepeat?: boolean;
}

/** The status of a gRPC call without a StoreErrorCode: of a proxy, of the library, or of another program. */
const CODE_OF_STATUS: Readonly<Partial<Record<number, StoreErrorCode>>> = {
  [status.INVALID_ARGUMENT]: 'INVALID_REQUEST',
  [status.NOT_FOUND]: 'NOT_FOUND',
  [status.UNIMPLEMENTED]: 'DISABLED',
  [status.DEADLINE_EXCEEDED]: 'TIMEOUT',
  [status.CANCELLED]: 'CANCELLED',
  [status.RESOURCE_EXHAUSTED]: 'OVERLOADED',
  [status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
  [status.PERMISSION_DENIED]: 'FORBIDDEN',
};

/** Texts of the library. */
const UNSENT = /^No connection established|^Channel closed before call started|ECONNREFUSED/;

/** No answer came, or none from the node itself: it may have done what was asked, or not. */
export class NoAnswer extends StoreError {
  /** True if the request cannot have reached the node. */
  readonly isUnsent: boolean;

  constructor(message: string, isUnsent: boolean, cause: unknown) {
    super('UNAVAILABLE', message, { cause });
    this.isUnsent = isUnsent;
  }
}

export interface GrpcCallerOptions {
  /** host:port */
  readonly address: string;
  /** Logs in; empty: nobody asks. */
  readonly token?: string | undefined;
  /** undefined: without TLS. */
  readonly tls?: Pick<NodeTls, 'credentials' | 'serverName'> | undefined;
}

export class GrpcCaller {
  readonly address: string;
  readonly #clients: (Client | undefined)[] = [undefined, undefined];
  readonly #authorization: string | undefined;
  readonly #tls: GrpcCallerOptions['tls'];
  #credentials: ChannelCredentials | undefined;

  /** Connects with the first call. */
  constructor({ address, token = '', tls }: GrpcCallerOptions) {
    this.address = address;
    this.#tls = tls;
    this.#authorization = token === '' ? undefined : `Bearer ${token}`;
  }

  /** Throws the node's StoreError; NoAnswer if it gave none. */
  unary(request: CallRequest, call: CallContext): Promise<CallResult> {
    return new Promise((resolve, reject) => {
      let message: Uint8Array | undefined;
      const client = this.#client(request);
      const done = (error: ServiceError | null, value?: Uint8Array): void => {
        if (error !== null) reject(this.#failure(error, call, client));
        else message = value;
      };
      const active = client.makeUnaryRequest(
        request.path,
        bufferOf,
        (bytes: Buffer) => bytes as Uint8Array,
        request.message,
        this.#metadata(request, call),
        optionsOf(call),
        done,
      );
      const release = cancelOn(call.signal, active);
      active.on('status', ({ metadata }: StatusObject) => {
        release();
        // After the callback, which comes in the same turn.
        if (message !== undefined) resolve({ message, trailer: metadata });
      });
    });
  }

  /** Passes each message to `take`, which may throw to end the call; resolves with the trailer. Throws as unary. */
  stream(request: CallRequest, call: CallContext, take: (message: Uint8Array) => void): Promise<Metadata> {
    return new Promise((resolve, reject) => {
      const client = this.#client(request);
      const active = client.makeServerStreamRequest(
        request.path,
        bufferOf,
        (bytes: Buffer) => bytes as Uint8Array,
        request.message,
        this.#metadata(request, call),
        optionsOf(call),
      );
      const release = cancelOn(call.signal, active);
      let isRefused = false;
      active.on('data', (message: Uint8Array) => {
        // Messages that were received before the end of the call still come after it.
        if (isRefused || call.signal?.aborted === true) return;
        try {
          take(message);
        } catch (error) {
          isRefused = true;
          reject(error instanceof Error ? error : new Error(String(error)));
          active.cancel();
        }
      });
      active.on('error', (error: ServiceError) => {
        release();
        reject(this.#failure(error, call, client));
      });
      active.on('status', ({ code, metadata }: StatusObject) => {
        release();
        if (code === status.OK) resolve(metadata);
      });
    });
  }

  #client({ isRepeat = false }: CallRequest): Client {
    const at = isRepeat ? 1 : 0;
    const { serverName, credentials: secure } = this.#tls ?? {};
    if (this.#credentials !== secure) {
      this.connectAnew();
      this.#credentials = secure;
    }
    const options =
      serverName === undefined ? CLIENT_OPTIONS : { ...CLIENT_OPTIONS, 'grpc.ssl_target_name_override': serverName };
    return (this.#clients[at] ??= new Client(this.address, secure ?? credentials.createInsecure(), options));
  }

  #metadata({ metadata = {} }: CallRequest, { tenant, allowsPartial, logOffsets }: CallContext): Metadata {
    const sent = new Metadata();
    if (this.#authorization !== undefined) sent.set('authorization', this.#authorization);
    sent.set(EXACT_KEY, '1');
    sent.set('x-tenant', tenant);
    if (allowsPartial !== undefined) sent.set(ALLOW_PARTIAL_KEY, allowsPartial ? '1' : '0');
    if (logOffsets !== undefined) sent.set(LOG_OFFSETS_KEY, offsetsText(logOffsets));
    for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
    return sent;
  }

  #failure(error: ServiceError, call: CallContext, client: Client): StoreError {
    const [given] = error.metadata?.get(CODE_KEY) ?? [];
    const code = STORE_ERROR_CODES.find((known) => known === given);
    // The node's own text, which says what and where.
    if (code !== undefined) return new StoreError(code, error.details, { cause: error });
    if (call.signal?.aborted === true)
      return new StoreError('CANCELLED', 'the client left before its request was answered', { cause: error });
    if (error.code === status.RESOURCE_EXHAUSTED && error.details.startsWith('Received message larger than max'))
      return new StoreError('LIMIT_EXCEEDED', `${this.address}: ${error.details}; ask for less`, { cause: error });
    const known = CODE_OF_STATUS[error.code];
    if (known !== undefined && known !== 'CANCELLED' && known !== 'TIMEOUT')
      return new StoreError(known, `${this.address}: ${error.details}`, { cause: error });
    const isUnsent = error.code === status.UNAVAILABLE && UNSENT.test(error.details);
    if (isUnsent) this.#replace(client);
    const remedy = tlsRemedy(error.details, this.#tls !== undefined);
    const text = remedy === undefined ? error.details : `${remedy} (${error.details})`;
    const what = error.code === status.DEADLINE_EXCEEDED ? 'no answer in time' : text;
    return new NoAnswer(`${this.address}: ${what}`, isUnsent, error);
  }

  /** The next call connects at once. This client would refuse calls until its back-off is over, though the node may be there again. */
  #replace(client: Client): void {
    const at = this.#clients.indexOf(client);
    if (at < 0) return;
    client.close();
    this.#clients[at] = undefined;
  }

  /** With the next call. Calls that are sent go on; those that wait for a connection fail as unsent. */
  connectAnew(): void {
    this.close();
    this.#clients.fill(undefined);
  }

  close(): void {
    for (const client of this.#clients) client?.close();
  }
}

/** What the answer's trailer says of what it lacks. */
export function marksOf(trailer: Metadata): Marked {
  const [marks] = trailer.get(MARKS_KEY);
  return decodeMarks(marks instanceof Buffer ? marks : undefined);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function optionsOf(call: CallContext): CallOptions {
  const left = leftMs(call);
  return Number.isFinite(left) ? { deadline: Date.now() + left } : {};
}

/** The result undoes it. */
function cancelOn(signal: AbortSignal | undefined, active: { cancel(): void }): () => void {
  const cancel = (): void => active.cancel();
  if (signal?.aborted === true) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
}
