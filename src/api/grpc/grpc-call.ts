// What the gRPC services share: tenant, the signal that fires when the client leaves or its deadline passes, statuses with
// google.rpc.Status in grpc-status-details-bin (RetryInfo when the failure passes by itself: without it exporters drop what
// was refused with RESOURCE_EXHAUSTED), warnings in the trailing metadata, and the pace of a stream: the next message is
// made when those before it are on their way, so that a slow client costs a bounded amount of memory.
import {
  Metadata,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
} from '@grpc/grpc-js';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import { encodeRpcStatus } from '../../otlp/rpc-messages.ts';
import { parseTenant, type Tenant } from '../../trace/tenant.ts';
import { decodeMessage, encodeMessage, methodSchema, type MethodSchema } from './grpc-schema.ts';
import { messageOf, notReady, statusOf } from '../edge/status.ts';

/** The one method whose messages are never decoded at this edge: the store's scan is their only decoder. */
export const OTLP_GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Where gRPC keeps google.rpc.Status. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
/** One entry for each thing an answer lacks. */
export const WARNING_KEY = 'tracelith-warning';

/** Trailers are headers, and clients bound those; the log has the whole. */
const WARNINGS_MAX = 8;
const WARNING_CHARS_MAX = 400;
/** Bytes of a stream that the library has and the socket has not; above it the next message is not made. */
const WINDOW_BYTES = 1 << 20;
/** What a timer can wait, 24 days: a later deadline is none. */
const TIMER_MAX_MS = 0x7fffffff;

/** What a method knows of its call beside the request. */
export interface GrpcCall {
  readonly tenant: Tenant;
  /** Fires when the client leaves or cancels, or its deadline passes: work for this call is then in vain. */
  readonly signal: AbortSignal;
  /** Tells the client what the answer lacks. */
  warn(warnings: readonly string[]): void;
}

/** A message to be sent: a plain object, or its bytes. */
export type Reply = object | Uint8Array;
/** `options` are those the service was registered with. */
export type UnaryMethod<Options, Request = never> = (
  options: Options,
  request: Request,
  call: GrpcCall,
) => Promise<Reply>;
/** Each message is made when the client takes it. */
export type StreamMethod<Options, Request = never> = (options: Options, request: Request, call: GrpcCall) => Replies;
export type Replies = AsyncGenerator<Reply, void, undefined>;

/** Methods by name. What a service has and this lacks is UNIMPLEMENTED. */
export interface GrpcMethods<Options> {
  readonly unary: Readonly<Record<string, UnaryMethod<Options>>>;
  readonly streams?: Readonly<Record<string, StreamMethod<Options>>>;
}

export interface GrpcCallOptions {
  readonly logger: Logger;
  /** False before the store is open and while it closes: calls get UNAVAILABLE. */
  readonly isReady: () => boolean;
  /** How long a client may take nothing of its stream; limits.answerStallMsMax when absent. */
  readonly stallMsMax?: number;
}

type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
type StreamCall = ServerWritableStream<Buffer, Buffer>;

const asIs = (bytes: Buffer): Buffer => bytes;

/** Gives `server`, which does not listen yet, the methods of a service of grpc-schema.ts, by the service's full name. */
export function registerService<Options extends GrpcCallOptions>(
  server: Server,
  name: string,
  { unary, streams = {} }: GrpcMethods<Options>,
  options: Options,
): void {
  for (const [method, answer] of Object.entries(unary)) {
    const schema = methodSchema(name, method);
    const handle: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      answerUnary(call, schema, answer, options).then(
        ({ reply, trailer }) => callback(null, reply, trailer),
        (error: unknown) => callback(toGrpcStatus(error, options.logger)),
      );
    };
    server.register(schema.path, handle, asIs, asIs, 'unary');
  }
  for (const [method, answer] of Object.entries(streams)) {
    const schema = methodSchema(name, method);
    const handle: handleServerStreamingCall<Buffer, Buffer> = (call) => {
      answerStream(call, schema, answer, options).then(
        (trailer) => call.end(trailer),
        (error: unknown) => call.emit('error', toGrpcStatus(error, options.logger)),
      );
    };
    server.register(schema.path, handle, asIs, asIs, 'serverStream');
  }
}

async function answerUnary<Options extends GrpcCallOptions>(
  call: UnaryCall,
  schema: MethodSchema,
  method: UnaryMethod<Options>,
  options: Options,
): Promise<{ reply: Buffer; trailer: Metadata }> {
  using scope = new CallScope(call, options);
  const reply = await method(options, readRequest(schema, call.request), scope);
  return { reply: bytesOf(schema, reply), trailer: scope.trailer };
}

async function answerStream<Options extends GrpcCallOptions>(
  call: StreamCall,
  schema: MethodSchema,
  method: StreamMethod<Options>,
  options: Options,
): Promise<Metadata> {
  using scope = new CallScope(call, options);
  const sink = new MessageSink(call, scope.signal, options.stallMsMax ?? limits.answerStallMsMax);
  const replies = method(options, readRequest(schema, call.request), scope);
  for await (const reply of replies) await sink.send(bytesOf(schema, reply));
  return scope.trailer;
}

function readRequest(schema: MethodSchema, bytes: Buffer): never {
  const max = limits.questionBytesMax;
  if (bytes.length > max) {
    throw new StoreError(
      'LIMIT_EXCEEDED',
      `a ${schema.request.name} of ${bytes.length} bytes, at most ${max} are taken`,
    );
  }
  try {
    return decodeMessage(schema.request, bytes) as never;
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', `malformed ${schema.request.name}: ${String(cause)}`, { cause });
  }
}

function bytesOf(schema: MethodSchema, reply: Reply): Buffer {
  if (reply instanceof Uint8Array) return Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  return encodeMessage(schema.response, reply);
}

/** One call from its request to its status. */
class CallScope implements GrpcCall, Disposable {
  readonly tenant: Tenant;
  readonly signal: AbortSignal;
  readonly trailer = new Metadata();
  readonly #deadline: NodeJS.Timeout | undefined;
  #warnings = 0;

  constructor(call: UnaryCall | StreamCall, { isReady }: GrpcCallOptions) {
    if (!isReady()) throw notReady();
    this.tenant = tenantOf(call.metadata);
    const controller = new AbortController();
    this.signal = controller.signal;
    const abort = (): void => controller.abort();
    call.on('cancelled', abort);
    if (call.cancelled) abort();
    // The library answers a passed deadline itself, but behind what is still to be sent: the work must end at once.
    const deadline = call.getDeadline();
    const leftMs = Number(deadline) - Date.now();
    if (leftMs < TIMER_MAX_MS) this.#deadline = setTimeout(abort, Math.max(0, leftMs));
  }

  warn(warnings: readonly string[]): void {
    for (const warning of warnings) {
      if (this.#warnings++ >= WARNINGS_MAX) return;
      this.trailer.add(WARNING_KEY, warning.slice(0, WARNING_CHARS_MAX).replace(/[^ -~]/g, '?'));
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
  }
}

/** Sends messages at the pace at which the client takes them. */
class MessageSink {
  readonly #call: StreamCall;
  readonly #signal: AbortSignal;
  readonly #stallMsMax: number;
  #pendingBytes = 0;
  #wake: () => void = () => undefined;

  constructor(call: StreamCall, signal: AbortSignal, stallMsMax: number) {
    this.#call = call;
    this.#signal = signal;
    this.#stallMsMax = stallMsMax;
  }

  /** Resolves when the next message may be made. Throws CANCELLED when the client has left, TIMEOUT when it stalls. */
  async send(message: Buffer): Promise<void> {
    if (this.#signal.aborted) throw clientLeft();
    this.#pendingBytes += message.length;
    this.#call.write(message, () => {
      this.#pendingBytes -= message.length;
      this.#wake();
    });
    while (this.#pendingBytes > WINDOW_BYTES) await this.#progress();
  }

  #progress(): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (error?: StoreError): void => {
        clearTimeout(stalled);
        this.#signal.removeEventListener('abort', leave);
        if (error === undefined) resolve();
        else reject(error);
      };
      const leave = (): void => stop(clientLeft());
      const stall = (): void =>
        stop(new StoreError('TIMEOUT', `the client took nothing of its stream for ${this.#stallMsMax} ms`));
      const stalled = setTimeout(stall, this.#stallMsMax);
      this.#signal.addEventListener('abort', leave);
      this.#wake = stop;
    });
  }
}

/** What ends the work for a call whose signal has fired. */
export function clientLeft(): StoreError {
  return new StoreError('CANCELLED', 'the client has left or its deadline has passed');
}

/**
 * The tenant of a call: AccountID and ProjectID as over HTTP, or Jaeger's x-tenant holding ACCOUNT or ACCOUNT:PROJECT.
 * Throws INVALID_REQUEST for anything else: a tenant we cannot tell must not become the default one.
 */
export function tenantOf(metadata: Metadata): Tenant {
  const [account, project, combined] = ['accountid', 'projectid', 'x-tenant'].map((name) => textOf(metadata, name));
  if (combined === undefined) return parseTenant(account, project);
  const [, combinedAccount, combinedProject] = /^(\d+)(?::(\d+))?$/.exec(combined) ?? [];
  if (combinedAccount === undefined || account !== undefined || project !== undefined) {
    const found = JSON.stringify(combined.slice(0, 40));
    throw new StoreError(
      'INVALID_REQUEST',
      `x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal, without AccountID or ProjectID beside it, got ${found}`,
    );
  }
  return parseTenant(combinedAccount, combinedProject);
}

/** Sent twice, the values are joined, which no tenant parses: two tenants are refused, not one picked. */
function textOf(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(',');
}

/** The status that a failure is answered with; those of 500 and above are logged. */
export function toGrpcStatus(error: unknown, logger: Logger): StatusObject {
  const { http, grpc, retrySeconds } = statusOf(error);
  if (http >= 500) logger.error('a gRPC call failed', { status: http, error });
  // encodeURI, which grpc-js puts the text through, throws on unpaired surrogates.
  const message = messageOf(error).toWellFormed();
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, encodeRpcStatus({ code: grpc, message, retrySeconds }, 'protobuf'));
  return { code: grpc, details: message, metadata };
}
