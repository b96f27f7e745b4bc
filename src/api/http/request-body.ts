// Receives an HTTP request body under a budget. If a body is refused, its remaining bytes are read and dropped (Node closes
// the socket after requestTimeout), so that the client reads the answer instead of a reset connection.
import type { IncomingMessage } from 'node:http';
import { StoreError } from '../../base/errors.ts';
import { ACCEPTED_ENCODINGS, isKnownEncoding, tooLarge, type EncodedBody } from './decode-body.ts';
import type { IntakeAccount } from '../edge/intake.ts';
import { ReceivedBytes } from '../edge/received-bytes.ts';

export interface BodyOptions {
  /** Limit of the bytes received, and of the bytes after decompression. */
  readonly sizeMax: number;
  /** Counts the bytes while they are held. */
  readonly account: IntakeAccount;
}

/**
 * Receives a whole body without decoding it. Throws UNSUPPORTED_TYPE (encoding; then nothing is read), LIMIT_EXCEEDED,
 * OVERLOADED, and CANCELLED if the client leaves.
 */
export async function receiveBody(request: IncomingMessage, options: BodyOptions): Promise<EncodedBody> {
  const encoding = (request.headers['content-encoding'] ?? '').trim().toLowerCase();
  if (!isKnownEncoding(encoding)) {
    const text = JSON.stringify(encoding.slice(0, 40));
    throw new StoreError('UNSUPPORTED_TYPE', `unsupported Content-Encoding ${text}: send one of ${ACCEPTED_ENCODINGS}`);
  }
  return { bytes: await receive(request, options), encoding };
}

function receive(request: IncomingMessage, { sizeMax, account }: BodyOptions): Promise<Buffer> {
  if (Number(request.headers['content-length']) > sizeMax) return Promise.reject(tooLarge('request body', sizeMax));
  if (request.destroyed)
    return Promise.reject(new StoreError('CANCELLED', 'the client went away before its request body'));
  return new Promise((resolve, reject) => {
    let received = new ReceivedBytes();
    let size = 0;
    const stop = (error: unknown): void => {
      request.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
      received = new ReceivedBytes();
      request.on('error', () => undefined).resume(); // the rest is dropped; its errors concern nobody any more
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      try {
        if (size > sizeMax) throw tooLarge('request body', sizeMax);
        account.add(chunk.length);
        received.add(chunk);
      } catch (error) {
        stop(error);
      }
    };
    const onEnd = (): void => {
      request.off('close', onClose);
      resolve(received.cut(size));
    };
    const onClose = (cause?: unknown): void => {
      stop(new StoreError('CANCELLED', `the client went away after ${size} bytes of the request body`, { cause }));
    };
    request.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
  });
}
