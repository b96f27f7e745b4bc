// Shared by the gRPC services: messages in and out by their schema, the tenant, warnings in the trailing metadata, and the pace
// of a stream: a message is made only when the earlier ones are on their way, so a slow client costs bounded memory.
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { ofTenants, type CallContext } from '../../trace/call-context.ts';
import {
  ALLOW_PARTIAL_KEY,
  encodeMarks,
  EXACT_KEY,
  LOG_OFFSETS_KEY,
  MARKS_KEY,
  offsetsOfText,
} from '../../cluster/protocol.ts';
import type { Behind, Marked, Missing } from '../../trace/store.ts';
import { PARTIAL_HEADER, partialHeader, warningsOf } from '../edge/partial-answers.ts';
import { notReady } from '../edge/status.ts';
import type { GrpcMethodTable, ReceivedCall } from './grpc-server.ts';
import { decodeMessage, encodeMessage, methodSchema, type MethodSchema } from './grpc-schema.ts';
import { clientLeft, type GrpcStream } from './grpc-stream.ts';

/** One entry for each thing that an answer lacks. */
export const WARNING_KEY = 'tracelith-warning';

/** Trailers are headers, whose size clients limit; the log has all warnings. */
const WARNINGS_MAX = 8;
const WARNING_CHARS_MAX = 400;
/** Bytes of a stream in the library but not in the socket; above it the next message is not made. */
const WINDOW_BYTES = 1 << 20;

/** A method's view of its call, apart from the request; its context is that of the calls to the store. */
export interface GrpcCall extends CallContext {
  /** Fires when the client leaves or cancels, or its deadline passes: no further work is needed. */
  readonly signal: AbortSignal;
  /** The answer is for another node (docs/format/cluster-protocol.md): text as it is stored, traces in one piece, all marks. */
  readonly isExact: boolean;
  /** Tells the client what the answer lacks. */
  warn(warnings: readonly string[]): void;
  /** Warns of what `found` lacks, and names the nodes that it was made without. */
  mark(found: Marked): void;
  /** Resolves when the client has taken what was sent, except a rest that counts as call overhead. Throws as a send. */
  taken(): Promise<void>;
}

/** A message to send: a plain object, or its bytes. */
export type Reply = object | Uint8Array;
/** `options` are those with which the service was registered. */
export type UnaryMethod<Options, Request = never> = (
  options: Options,
  request: Request,
  call: GrpcCall,
) => Promise<Reply>;
/** Each message is made when the client takes it. */
export type StreamMethod<Options, Request = never> = (options: Options, request: Request, call: GrpcCall) => Replies;
export type Replies = AsyncGenerator<Reply, void, undefined>;

/** Methods by name. Methods of the service that are missing here are UNIMPLEMENTED. */
export interface GrpcMethods<Options> {
  readonly unary: Readonly<Record<string, UnaryMethod<Options>>>;
  readonly streams?: Readonly<Record<string, StreamMethod<Options>>>;
}

export interface GrpcCallOptions {
  /** False before the store is open and while it closes: calls get UNAVAILABLE. */
  readonly isReady: () => boolean;
  /** How long a client may leave its stream unread; limits.answerStallMsMax when absent. */
  readonly stallMsMax?: number;
  /** How long a call may take; absent: unlimited, for calls that watch something. */
  readonly callMaxMs?: number;
  /**
   * Waits a bounded time until the log is stored up to these offsets; resolves with the partitions where it is not. undefined: this
   * node consumes no log.
   */
  readonly reached?:
    | ((offsets: ReadonlyMap<number, bigint>, signal: AbortSignal) => Promise<readonly Behind[]>)
    | undefined;
}

/** Registers on `server` the methods of a service of grpc-schema.ts, given by the service's full name. */
export function registerService<Options extends GrpcCallOptions>(
  server: GrpcMethodTable,
  name: string,
  { unary, streams = {} }: GrpcMethods<Options>,
  options: Options,
): void {
  for (const [method, answer] of Object.entries(unary)) {
    const schema = methodSchema(name, method);
    server.add(schema.path, async (call) => {
      const sink = sinkOf(call.stream, options);
      const scope = await scopeOf(call, sink, options);
      const reply = await answer(options, await readRequest(schema, call), scope);
      await sink.send(bytesOf(schema, reply));
      await sink.taken();
    });
  }
  for (const [method, answer] of Object.entries(streams)) {
    const schema = methodSchema(name, method);
    server.add(schema.path, async (call) => {
      const sink = sinkOf(call.stream, options);
      const scope = await scopeOf(call, sink, options);
      const replies = answer(options, await readRequest(schema, call), scope);
      for await (const reply of replies) await sink.send(bytesOf(schema, reply));
      await sink.taken();
    });
  }
}

function sinkOf(stream: GrpcStream, { stallMsMax = limits.answerStallMsMax }: GrpcCallOptions): MessageSink {
  return new MessageSink(stream, stallMsMax);
}

async function readRequest(schema: MethodSchema, call: ReceivedCall): Promise<never> {
  const bytes = await call.only(limits.questionBytesMax);
  try {
    return decodeMessage(schema.request, bytes) as never;
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', `malformed ${schema.request.name}: ${String(cause)}`, { cause });
  }
}

function bytesOf(schema: MethodSchema, reply: Reply): Uint8Array {
  return reply instanceof Uint8Array ? reply : encodeMessage(schema.response, reply);
}

/** Throws UNAVAILABLE before the store is open. */
async function scopeOf(
  { stream, tenants, principal }: ReceivedCall,
  sink: MessageSink,
  { isReady, callMaxMs, reached }: GrpcCallOptions,
): Promise<GrpcCall> {
  if (!isReady()) throw notReady();
  if (callMaxMs !== undefined) stream.bound(callMaxMs);
  const { headers } = stream;
  const asked = headers[LOG_OFFSETS_KEY];
  const behind = typeof asked === 'string' ? await reached?.(offsetsOfText(asked), stream.signal) : undefined;
  const told: string[] = [];
  const warn = (warnings: readonly string[]): void => {
    for (const warning of warnings.slice(0, WARNINGS_MAX - told.length)) {
      told.push(warning.slice(0, WARNING_CHARS_MAX).replace(/[^ -~]/g, '?'));
    }
    if (told.length > 0) stream.trailer[WARNING_KEY] = told;
  };
  const isExact = headers[EXACT_KEY] === '1';
  const marks = { warnings: [] as string[], missing: [] as Missing[], behind };
  const early = isExact ? encodeMarks(marks) : undefined;
  if (early !== undefined) stream.trailer[MARKS_KEY] = early;
  const mark = (found: Marked): void => {
    if (isExact) {
      marks.warnings.push(...found.warnings);
      marks.missing.push(...(found.missing ?? []));
      const encoded = encodeMarks(marks);
      if (encoded !== undefined) stream.trailer[MARKS_KEY] = encoded;
      return;
    }
    warn(warningsOf(found));
    const partial = partialHeader(found);
    if (partial !== undefined) stream.trailer[PARTIAL_HEADER] = partial;
  };
  const { signal, deadlineNs } = stream;
  const allowsPartial = headers[ALLOW_PARTIAL_KEY] === undefined ? undefined : headers[ALLOW_PARTIAL_KEY] === '1';
  const context = { ...ofTenants(tenants), principal, signal, deadlineNs, allowsPartial };
  return { ...context, isExact, warn, mark, taken: () => sink.taken() };
}

/** Sends messages at the pace at which the client takes them. */
export class MessageSink {
  readonly #stream: GrpcStream;
  readonly #stallMsMax: number;
  #pendingBytes = 0;
  #isWaiting = false;
  #wake: () => void = () => undefined;

  constructor(stream: GrpcStream, stallMsMax: number) {
    this.#stream = stream;
    this.#stallMsMax = stallMsMax;
  }

  /** Resolves when the next message may be made. Throws CANCELLED if the client has left, TIMEOUT if it stalls. */
  async send(message: Uint8Array): Promise<void> {
    if (this.#stream.signal.aborted) throw clientLeft();
    this.#pendingBytes += message.length;
    this.#stream.write(message, () => {
      assert(this.#pendingBytes >= message.length, 'a message is sent twice');
      this.#pendingBytes -= message.length;
      this.#wake();
    });
    while (this.#pendingBytes > WINDOW_BYTES) await this.#progress();
  }

  /** As GrpcCall.taken. Until then the messages stay in memory, and their maker counts them. */
  async taken(): Promise<void> {
    while (this.#pendingBytes > limits.requestOverheadBytes) {
      if (this.#stream.signal.aborted) throw clientLeft();
      await this.#progress();
    }
  }

  #progress(): Promise<void> {
    const { signal } = this.#stream;
    // Only the last who waits is woken: the other would take the client for stalled.
    assert(!this.#isWaiting, 'two send messages of one call at a time');
    this.#isWaiting = true;
    return new Promise((resolve, reject) => {
      const stop = (error?: StoreError): void => {
        this.#isWaiting = false;
        clearTimeout(stalled);
        signal.removeEventListener('abort', leave);
        if (error === undefined) resolve();
        else reject(error);
      };
      const leave = (): void => stop(clientLeft());
      const stall = (): void =>
        stop(new StoreError('TIMEOUT', `the client took nothing of its stream for ${this.#stallMsMax} ms`));
      const stalled = setTimeout(stall, this.#stallMsMax);
      signal.addEventListener('abort', leave);
      this.#wake = stop;
    });
  }
}
