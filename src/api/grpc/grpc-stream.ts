// One gRPC call on its HTTP/2 stream: the messages of its request, counted before they are held and decompressed as over
// HTTP, its answers, and its one status (decisions/0026). The caller reads at its own pace: HTTP/2 holds the client back.
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { encodeRpcStatus } from '../../otlp/rpc-messages.ts';
import type { IntakeAccount } from '../edge/intake.ts';
import { ReceivedBytes } from '../edge/received-bytes.ts';
import { messageOf, statusOf } from '../edge/status.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { isKnownEncoding, tooLarge } from '../http/decode-body.ts';

/** Where gRPC keeps google.rpc.Status: it has RetryInfo, without which exporters drop what RESOURCE_EXHAUSTED refused. */
const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
const GRPC_ENCODINGS = 'identity,gzip,deflate,snappy,zstd';
const ANSWER_HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': GRPC_ENCODINGS,
};
/** A message begins with a byte that is 1 when it is compressed, and four bytes of length. */
const HEAD_BYTES = 5;
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** What a timer can wait, 24 days: a later deadline is none. */
const TIMER_MAX_MS = 0x7fffffff;

export interface ReadOptions {
  /** Bytes of one message, before and after decompression. */
  readonly bytesMax: number;
  /** Where messages are charged while they are held. */
  readonly account: IntakeAccount;
  readonly bodies: BodyPool;
}

export class GrpcStream {
  readonly headers: IncomingHttpHeaders;
  /** Fires when the client leaves or cancels, or its deadline passes: work for this call is then in vain. */
  readonly signal: AbortSignal;
  /** Metadata that goes out with the status. */
  readonly trailer: OutgoingHttpHeaders = {};
  readonly #stream: ServerHttp2Stream;
  readonly #abort = new AbortController();
  readonly #frames = new MessageFrames();
  readonly #onEnd: (status: number) => void;
  #deadline: NodeJS.Timeout | undefined;
  /** Until #deadline, from its start. */
  #leftMs = TIMER_MAX_MS;
  #wake: () => void = () => undefined;
  readonly #onReadable = (): void => this.#wake();
  #isEnded = false;

  /** `onEnd` is told the status of the call, as HTTP has it, once, unless the client left before it had one. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, onEnd: (status: number) => void) {
    this.#stream = stream;
    this.headers = headers;
    this.signal = this.#abort.signal;
    this.#onEnd = onEnd;
    stream.on('readable', this.#onReadable).on('end', this.#onReadable);
    // Behind every error comes the close.
    stream.on('error', () => undefined).on('close', () => this.#leave());
  }

  /** Starts the clock of the client's grpc-timeout. Throws INVALID_REQUEST. */
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

  /** Ends the call after `maxMs`, unless its client does sooner: not every client has a deadline. */
  bound(maxMs: number): void {
    this.#endAfter(maxMs, `the call took longer than ${maxMs} ms (-grpc.maxCallDuration); ask for less at a time`);
  }

  #endAfter(ms: number, message: string): void {
    if (ms >= this.#leftMs || this.#isEnded) return;
    this.#leftMs = ms;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#expire(message), ms);
  }

  /**
   * The next message of the request, decompressed; undefined when the client has sent its last. Throws LIMIT_EXCEEDED before
   * a message that is too large is received, OVERLOADED, UNSUPPORTED_TYPE, INVALID_REQUEST, CANCELLED.
   */
  async next({ bytesMax, account, bodies }: ReadOptions): Promise<Uint8Array | undefined> {
    const frames = this.#frames;
    for (;;) {
      const frame = frames.take(bytesMax);
      if (frame !== undefined) {
        account.exchange(HEAD_BYTES, 0);
        return await this.#decode(frame, { bytesMax, account, bodies });
      }
      const chunk = this.#stream.read() as Buffer | null;
      if (chunk !== null) {
        account.add(chunk.length);
        frames.add(chunk);
      } else if (this.#stream.readableEnded) {
        // A request that is cut off ends like one that is complete, but for the code.
        if (this.#isEnded || this.#stream.aborted || this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR)
          throw clientLeft();
        if (!frames.isEmpty) throw new StoreError('INVALID_REQUEST', 'the request ends inside a message');
        return undefined;
      } else {
        if (this.signal.aborted) throw clientLeft();
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
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

  /** Sends a message behind those before it; `onSent` runs when it is on its way, or never will be. */
  write(message: Uint8Array, onSent: () => void): void {
    if (this.#isEnded || this.#stream.destroyed) return onSent();
    if (!this.#stream.headersSent) this.#stream.respond(ANSWER_HEADERS, { waitForTrailers: true });
    const framed = Buffer.allocUnsafe(HEAD_BYTES + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, HEAD_BYTES);
    this.#stream.write(framed, onSent);
  }

  /** Ends what is no gRPC call at all, as HTTP. */
  refuseType(): void {
    this.#isEnded = true;
    this.#stream.respond({ ':status': 415 }, { endStream: true });
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
    this.#dropRest();
  }

  /** Ends the call: everything was answered. */
  end(): void {
    this.#end({ http: 200, grpc: status.OK }, {});
  }

  /** Ends the call with the status of a failure; what is not a StoreError keeps its text to itself. */
  fail(error: unknown): void {
    const { http, grpc: code, retrySeconds } = statusOf(error);
    // encodeURI throws on unpaired surrogates.
    const message = messageOf(error).toWellFormed();
    const details = encodeRpcStatus({ code, message, retrySeconds }, 'protobuf').toString('base64');
    this.#end({ http, grpc: code }, { 'grpc-message': encodeURI(message), [STATUS_DETAILS_KEY]: details });
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
      // A client that is refused in the middle of its request need not send the rest.
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    }
    this.#dropRest();
  }

  /** What still comes is read all the same: a stream that is not read to its end is never closed, nor is its connection. */
  #dropRest(): void {
    this.#stream.off('readable', this.#onReadable).resume();
  }

  /** What was written and is not taken lies in memory, and nothing waits for it any more. */
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

/** What ends the work for a call whose signal has fired. */
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
  /** Of the message whose head has come and was taken off. */
  #head: { readonly size: number; readonly isCompressed: boolean } | undefined;

  get isEmpty(): boolean {
    return this.#received.length === 0 && this.#head === undefined;
  }

  add(chunk: Buffer): void {
    this.#received.add(chunk);
  }

  /** The next message when all of it has come. Throws LIMIT_EXCEEDED as soon as its length is known. */
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
