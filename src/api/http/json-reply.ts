// Sends JSON chunk by chunk: small answers whole, with their length; large ones as a stream that is made only as fast as the
// client reads, so that an answer of any size needs memory for only a few chunks. Between two chunks the event loop serves
// other requests: a trace of 100,000 spans takes a second.
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import { prettyJson } from './pretty-json.ts';

/** Answers up to this size are sent whole. */
const WHOLE_BYTES_MAX = 262_144;

export interface JsonAnswer {
  /** An empty chunk is a TURN (trace-view.ts): nothing is sent, and other work runs. */
  readonly chunks: Iterable<Buffer>;
  readonly isPretty: boolean;
  readonly logger: Logger | undefined;
  /** How long the client may leave the answer unread; limits.answerStallMsMax when absent. */
  readonly stallMsMax?: number;
}

/** Sends 200 with `chunks`. Throws what the first chunks throw; a later failure cuts the connection and is logged. */
export async function sendJsonChunks(reply: FastifyReply, answer: JsonAnswer): Promise<FastifyReply> {
  const source = (answer.isPretty ? prettyJson(answer.chunks) : answer.chunks)[Symbol.iterator]();
  const head: Buffer[] = [];
  let sizeBytes = 0;
  let next = advance(source);
  for (; next.done !== true && sizeBytes < WHOLE_BYTES_MAX; next = advance(source)) {
    head.push(next.value);
    sizeBytes += next.value.length;
    if (next.value.length === 0) await turn(reply, source);
  }
  reply.header('content-type', 'application/json');
  if (next.done === true) return reply.send(Buffer.concat(head));
  const stream = new ChunkStream(
    Buffer.concat([...head, next.value]),
    source,
    answer.stallMsMax ?? limits.answerStallMsMax,
  );
  stream.once('error', (error) => {
    // A client that leaves causes an error here only if the answer is compressed.
    const hasLeft = 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    if (!hasLeft) answer.logger?.error('an answer broke off while it was being sent', { error });
  });
  return reply.send(stream);
}

/** Lets other work run. Throws CANCELLED if the client has left meanwhile. */
async function turn(reply: FastifyReply, source: Iterator<Buffer>): Promise<void> {
  await nextTurn();
  if (!reply.raw.destroyed) return;
  source.return?.();
  throw new StoreError('CANCELLED', 'the client closed the connection before its answer began');
}

/** Makes at most one chunk per turn of the event loop, and none while the client takes none. */
class ChunkStream extends Readable {
  readonly #source: Iterator<Buffer>;
  #head: Buffer | undefined;
  #turn: NodeJS.Immediate | undefined;
  readonly #stall: NodeJS.Timeout;

  constructor(head: Buffer, source: Iterator<Buffer>, stallMsMax: number) {
    super();
    this.#head = head;
    this.#source = source;
    const message = `the client has taken nothing of its answer for ${stallMsMax} ms`;
    this.#stall = setTimeout(() => this.destroy(new StoreError('CANCELLED', message)), stallMsMax);
  }

  override _read(): void {
    this.#stall.refresh();
    this.#turn ??= setImmediate(() => this.#step());
  }

  #step(): void {
    this.#turn = undefined;
    try {
      const chunk = this.#head ?? this.#next();
      this.#head = undefined;
      if (chunk?.length === 0) this.#turn = setImmediate(() => this.#step());
      else this.push(chunk ?? null);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #next(): Buffer | undefined {
    const next = advance(this.#source);
    return next.done === true ? undefined : next.value;
  }

  /** Releases the source if the client leaves before the end. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#stall);
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#source.return?.();
    done(error);
  }
}

/** The JSON is made from stored data: malformed bytes there are not the client's fault. */
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
