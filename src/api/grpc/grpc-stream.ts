// One gRPC call on its HTTP/2 stream: its request's messages, counted before they are held and decompressed as over HTTP, its
// answers, and its one status (decisions/0026). The caller reads at its own pace; HTTP/2 flow control slows the client.
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { assert } from '../../base/assert.ts';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { CODE_KEY } from '../../cluster/protocol.ts';
import { encodeRpcStatus } from '../../otlp/rpc-messages.ts';
import { deadlineAfter } from '../../trace/call-context.ts';
import type { IntakeAccount } from '../edge/intake.ts';
import { ReceivedBytes } from '../edge/received-bytes.ts';
import { messageOf, statusOf } from '../edge/status.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { isKnownEncoding, tooLarge } from '../http/decode-body.ts';

/** Metadata key of google.rpc.Status. Its RetryInfo matters: without it, exporters drop data refused with RESOURCE_EXHAUSTED. */
const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
const GRPC_ENCODINGS = 'identity,gzip,deflate,snappy,zstd';
const ANSWER_HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': GRPC_ENCODINGS,
};
/** A message begins with a byte that is 1 if it is compressed, and four bytes of length. */
const HEAD_BYTES = 5;
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** The longest timer, 24 days: a later deadline counts as none. */
const TIMER_MAX_MS = 0x7fffffff;

export interface ReadOptions {
  /** Bytes of one message, before and after decompression. */
  readonly bytesMax: number;
  /** Counts the bytes of messages while they are held. */
  readonly account: IntakeAccount;
  readonly bodies: BodyPool;
}

export class GrpcStream {
  readonly headers: IncomingHttpHeaders;
  /** Fires when the client leaves or cancels, or its deadline passes: no further work is needed. */
  readonly signal: AbortSignal;
  /** Metadata that is sent with the status. */
  readonly trailer: OutgoingHttpHeaders = {};
  readonly #stream: ServerHttp2Stream;
  readonly #abort = new AbortController();
  readonly #frames = new MessageFrames();
  readonly #onEnd: (status: number) => void;
  #deadline: NodeJS.Timeout | undefined;
  /** Until #deadline, from its start. */
  #leftMs = TIMER_MAX_MS;
  #deadlineNs: bigint | undefined;
  #wake: () => void = () => undefined;
  readonly #onReadable = (): void => this.#wake();
  #isEnded = false;
  #isWaiting = false;

  /** `onEnd` gets the call's status as HTTP has it, once, unless the client left before there was one. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, onEnd: (status: number) => void) {
    this.#stream = stream;
    this.headers = headers;
    this.signal = this.#abort.signal;
    this.#onEnd = onEnd;
    stream.on('readable', this.#onReadable).on('end', this.#onReadable);
    // Every error is followed by a close.
    stream.on('error', () => undefined).on('close', () => this.#leave());
  }

  /** The connection's, or HTTP/2's view of it. Throws CANCELLED when it is gone. */
  get socket(): Socket {
    const { session } = this.#stream;
    if (session === undefined || session.destroyed) throw clientLeft();
    return session.socket;
  }

  /** Starts the timer for the client's grpc-timeout. Throws INVALID_REQUEST. */
  startDeadline(): void {
    const text = this.headers['grpc-timeout'];
    if (text === undefined) return;
    const [, digits, unit = ''] = TIMEOUT.exec(String(text)) ?? [];
    if (digits === undefined) {
      const found = JSON.stringify(String(text).slice(0, 40));
      throw new StoreError('INVALID_REQUEST', `grpc-timeout: expected up to 8 digits and a unit, got ${found}`);
    }
    this.#endAfter(Number(digits) * UNIT_MS[unit]!, 'the deadline of the call has passed');
  }

  /** Ends the call after `maxMs`, unless the client's deadline is sooner: not every client has one. */
  bound(maxMs: number): void {
    this.#endAfter(maxMs, `the call took longer than ${maxMs} ms (-grpc.maxCallDuration); ask for less at a time`);
  }

  /** As CallContext.deadlineNs. */
  get deadlineNs(): bigint | undefined {
    return this.#deadlineNs;
  }

  #endAfter(ms: number, message: string): void {
    if (ms >= this.#leftMs || this.#isEnded) return;
    this.#leftMs = ms;
    this.#deadlineNs = deadlineAfter(ms);
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#expire(message), ms);
  }

  /**
   * The next message of the request, decompressed; undefined after the last. Throws LIMIT_EXCEEDED before it receives a message
   * that is too large; OVERLOADED, UNSUPPORTED_TYPE, INVALID_REQUEST, CANCELLED.
   */
  async next({ bytesMax, account, bodies }: ReadOptions): Promise<Uint8Array | undefined> {
    const frames = this.#frames;
    for (;;) {
      const frame = frames.take(bytesMax);
      if (frame !== undefined) {
        // A sender that has given up sends its spans to another node: what is written here for it would be there twice.
        if (this.signal.aborted) throw clientLeft();
        account.exchange(HEAD_BYTES, 0);
        return await this.#decode(frame, { bytesMax, account, bodies });
      }
      const chunk = this.#stream.read() as Buffer | null;
      if (chunk !== null) {
        account.add(chunk.length);
        frames.add(chunk);
      } else if (this.#stream.readableEnded) {
        // A request that was cut off ends like a complete one; only the code differs.
        if (this.#isEnded || this.#stream.aborted || this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR)
          throw clientLeft();
        if (!frames.isEmpty) throw new StoreError('INVALID_REQUEST', 'the request ends inside a message');
        return undefined;
      } else {
        if (this.signal.aborted) throw clientLeft();
        await this.#more();
      }
    }
  }

  /** Resolves when there is more of the request, or its end. */
  async #more(): Promise<void> {
    // Only the last who waits is woken: the other would wait for ever.
    assert(!this.#isWaiting, 'two wait for the next message of a request');
    this.#isWaiting = true;
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#isWaiting = false;
  }

  async #decode({ bytes, isCompressed }: Frame, { bytesMax, account, bodies }: ReadOptions): Promise<Uint8Array> {
    if (!isCompressed) return bytes;
    const encoding = String(this.headers['grpc-encoding'] ?? 'identity').toLowerCase();
    if (!isKnownEncoding(encoding)) {
      const found = JSON.stringify(encoding.slice(0, 40));
      throw new StoreError('UNSUPPORTED_TYPE', `unsupported grpc-encoding ${found}: send one of ${GRPC_ENCODINGS}`);
    }
    const receivedBytes = bytes.length;
    const message = await bodies.toOtlp({ bytes, encoding }, { sizeMax: bytesMax, isJson: false });
    account.exchange(receivedBytes, message.length);
    return message;
  }

  /** Sends a message after the earlier ones; `onSent` runs when it is on its way, or never will be. */
  write(message: Uint8Array, onSent: () => void): void {
    if (this.#isEnded || this.#stream.destroyed) return onSent();
    if (!this.#stream.headersSent) this.#stream.respond(ANSWER_HEADERS, { waitForTrailers: true });
    const framed = Buffer.allocUnsafe(HEAD_BYTES + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, HEAD_BYTES);
    this.#stream.write(framed, onSent);
  }

  /** Answers a request that is not gRPC with plain HTTP, and ends it. */
  refuseType(): void {
    this.#isEnded = true;
    this.#stream.respond({ ':status': 415 }, { endStream: true });
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
    this.#dropRest();
  }

  /** Ends the call successfully. */
  end(): void {
    this.#end({ http: 200, grpc: status.OK }, {});
  }

  /** Ends the call with the status of a failure; only a StoreError's text is sent. */
  fail(error: unknown): void {
    const { http, grpc: code, retrySeconds } = statusOf(error);
    // encodeURI throws on unpaired surrogates.
    const message = messageOf(error).toWellFormed();
    const details = encodeRpcStatus({ code, message, retrySeconds }, 'protobuf').toString('base64');
    const storeCode = isStoreError(error) ? error.code : 'BUG';
    const metadata = { 'grpc-message': encodeURI(message), [STATUS_DETAILS_KEY]: details, [CODE_KEY]: storeCode };
    this.#end({ http, grpc: code }, metadata);
  }

  #end({ http, grpc }: { readonly http: number; readonly grpc: number }, metadata: OutgoingHttpHeaders): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#deadline);
    this.#onEnd(http);
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const trailers = { 'grpc-status': grpc, ...metadata, ...this.trailer };
    if (stream.headersSent) {
      stream.once('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end();
      if (stream.writableLength > 0) this.#cutOffLater();
    } else {
      stream.respond({ ...ANSWER_HEADERS, ...trailers }, { endStream: true });
      // A client that is refused during its request need not send the rest.
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    }
    this.#dropRest();
  }

  /** Reads and drops the rest of the request: a stream that is not read to its end never closes, nor does its connection. */
  #dropRest(): void {
    this.#stream.off('readable', this.#onReadable).resume();
  }

  /** Answers that the client does not take stay in memory, and nobody waits for them any more: closes the stream after a while. */
  #cutOffLater(): void {
    const cutOff = setTimeout(() => this.#stream.close(constants.NGHTTP2_CANCEL), limits.answerStallMsMax);
    this.#stream.once('close', () => clearTimeout(cutOff));
  }

  #expire(message: string): void {
    this.fail(new StoreError('TIMEOUT', message));
    this.#stop();
  }

  #leave(): void {
    clearTimeout(this.#deadline);
    if (!this.#isEnded) this.#stop();
    this.#isEnded = true;
  }

  /** Ends the work for the call. */
  #stop(): void {
    this.#abort.abort();
    this.#wake();
  }
}

/** The error that ends the work for a call whose signal has fired. */
export function clientLeft(): StoreError {
  return new StoreError('CANCELLED', 'the client has left or its deadline has passed');
}

interface Frame {
  readonly bytes: Uint8Array;
  readonly isCompressed: boolean;
}

/** Received bytes cut into messages. */
class MessageFrames {
  readonly #received = new ReceivedBytes();
  /** The head of the current message, already removed from the bytes. */
  #head: { readonly size: number; readonly isCompressed: boolean } | undefined;

  get isEmpty(): boolean {
    return this.#received.length === 0 && this.#head === undefined;
  }

  add(chunk: Buffer): void {
    this.#received.add(chunk);
  }

  /** The next message when it is complete. Throws LIMIT_EXCEEDED as soon as its length is known. */
  take(bytesMax: number): Frame | undefined {
    if (this.#head === undefined) {
      if (this.#received.length < HEAD_BYTES) return undefined;
      const head = this.#received.cut(HEAD_BYTES);
      this.#head = { size: head.readUInt32BE(1), isCompressed: head[0] !== 0 };
      if (this.#head.size > bytesMax) throw tooLarge('the message', bytesMax);
    }
    const { size, isCompressed } = this.#head;
    if (this.#received.length < size) return undefined;
    this.#head = undefined;
    return { bytes: this.#received.cut(size), isCompressed };
  }
}
