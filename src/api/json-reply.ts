// Sends JSON that is made chunk by chunk: small answers whole, with their length, large ones as a stream that is made only
// as fast as the client reads, so that an answer of any size needs the memory of a few chunks.
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { prettyJson } from './pretty-json.ts';

/** Answers up to this size are sent whole. */
const WHOLE_BYTES_MAX = 262_144;

export interface JsonAnswer {
  readonly chunks: Iterable<Buffer>;
  readonly isPretty: boolean;
  readonly log: Log | undefined;
}

/** Sends 200 with `chunks`. Throws what the first chunks throw; a failure after that cuts the connection and is logged. */
export function sendJsonChunks(reply: FastifyReply, answer: JsonAnswer): FastifyReply {
  const source = (answer.isPretty ? prettyJson(answer.chunks) : answer.chunks)[Symbol.iterator]();
  const head: Buffer[] = [];
  let sizeBytes = 0;
  let next = advance(source);
  for (; next.done !== true && sizeBytes < WHOLE_BYTES_MAX; next = advance(source)) {
    head.push(next.value);
    sizeBytes += next.value.length;
  }
  reply.header('content-type', 'application/json');
  if (next.done === true) return reply.send(Buffer.concat(head));
  const stream = Readable.from(rest([...head, next.value], source));
  stream.once('error', (error) => answer.log?.error('an answer broke off while it was being sent', { error }));
  return reply.send(stream);
}

/** Lets go of the source when the client leaves before the end. */
function* rest(head: readonly Buffer[], source: Iterator<Buffer>): Generator<Buffer, void, undefined> {
  try {
    yield Buffer.concat(head);
    for (let next = advance(source); next.done !== true; next = advance(source)) yield next.value;
  } finally {
    source.return?.();
  }
}

/** What is written comes from the store: malformed bytes there are not the client's fault. */
function advance(source: Iterator<Buffer>): IteratorResult<Buffer> {
  try {
    return source.next();
  } catch (cause) {
    if (!isStoreError(cause, 'INVALID_REQUEST')) throw cause;
    throw new StoreError(
      'CORRUPTION',
      `a stored trace cannot be read: ${cause.message}; report it with the log of the server`,
      { cause },
    );
  }
}
