// Sends JSON that is made chunk by chunk: small answers whole, with their length, large ones as a stream that is made only
// as fast as the client reads, so that an answer of any size needs the memory of a few chunks. The event loop turns between
// two chunks: a trace of 100,000 spans is a second of work, and other requests get in between.
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
  /** An empty chunk is a TURN (trace-view.ts): nothing is sent, others run. */
  readonly chunks: Iterable<Buffer>;
  readonly isPretty: boolean;
  readonly logger: Logger | undefined;
  /** How long the client may take nothing; limits.answerStallMsMax when absent. */
  readonly stallMsMax?: number;
}

/** Sends 200 with `chunks`. Throws what the first chunks throw; a failure after that cuts the connection and is logged. */
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
    // Only where it is compressed does a client that leaves come here.
    const hasLeft = 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    if (!hasLeft) answer.logger?.error('an answer broke off while it was being sent', { error });
  });
  return reply.send(stream);
}

/** Lets others run. Throws CANCELLED when the client has left meanwhile. */
async function turn(reply: FastifyReply, source: Iterator<Buffer>): Promise<void> {
  await nextTurn();
  if (!reply.raw.destroyed) return;
  source.return?.();
  throw new StoreError('CANCELLED', 'the client closed the connection before its answer began');
}

/** Makes one chunk a turn of the event loop, and none while the client takes none. */
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

  /** Lets go of the source when the client leaves before the end. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#stall);
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#source.return?.();
    done(error);
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
