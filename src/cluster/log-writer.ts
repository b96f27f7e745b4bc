// The SpanWriter of an insert node in front of a log: checks a request, cuts it by trace, and appends each slice to the partition of
// its traces. Acknowledged when the log has acknowledged every slice. Slices that come while an append to their partition is
// under way go together in the next one, so there is one append to a partition at a time, and it grows with the load. It
// keeps nothing: what the log does not take in time is refused, and the sender has it still.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { freeBytes, freeWhenSent } from '../bytes/free-bytes.ts';
import type { IngestLog } from '../ingest-log/ingest-log.ts';
import type { LogGuard } from '../ingest-log/log-guard.ts';
import { encodePayload, payloadBytesMax, type LogSlice } from '../ingest-log/log-payload.ts';
import type { ScanBounds } from '../otlp/scan-request.ts';
import type { SpanWriter, WriteContext, WriteResult } from '../trace/store.ts';
import { cutRequest } from './cut-request.ts';
import { partitionOfTrace } from './placement.ts';
import { RequestCheck } from './request-check.ts';

/** Spans that are rejected by name, and go nowhere. */
const NOWHERE = -1;
/** Between two attempts to append one message; an election takes seconds. */
const RETRY_MS = 100;
/** Seconds: from an fsync on an idle disk to what senders wait for at most. */
const APPEND_BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface LogWriterOptions {
  readonly log: Pick<IngestLog, 'partitions' | 'messageBytesMax' | 'append'>;
  readonly guard: Pick<LogGuard, 'refusal'>;
  /**
   * The bounds of the spans that are accepted now, of a tenant whose spans are kept for `tenantMs` at most. Storage nodes store
   * whatever is within them.
   */
  readonly acceptedSpans: (tenantMs?: number) => ScanBounds;
  /** -ingestLog.writeTimeout: how long a slice waits for the log's acknowledgement, attempts and all. */
  readonly timeoutMs: number;
  /** Default RETRY_MS. */
  readonly retryMs?: number;
}

/** Counted since the start. */
export interface LogWriterCounters {
  /** Messages that the log has acknowledged, their bytes, and the slices and bytes of OTLP in them. */
  messages: number;
  messageBytes: number;
  slices: number;
  sliceBytes: number;
  /** Attempts that were made again, with the same id. */
  repeated: number;
  /** Slices that the log did not take in time; their requests got 503. */
  refused: number;
  /** How long appends took which were acknowledged. */
  readonly appends: AppendDurations;
}

/** A histogram: `counts[i]` appends took at most `bounds[i]` seconds and longer than the bound before, the last count is of longer ones. */
interface AppendDurations {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum: number;
}

interface Waiting extends LogSlice {
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The counters of a writer that has written nothing. */
export function noLogWrites(): LogWriterCounters {
  const appends = { bounds: APPEND_BOUNDS, counts: Array.from({ length: APPEND_BOUNDS.length + 1 }, () => 0), sum: 0 };
  return { messages: 0, messageBytes: 0, slices: 0, sliceBytes: 0, repeated: 0, refused: 0, appends };
}

export class LogWriter implements SpanWriter {
  readonly counters: LogWriterCounters = noLogWrites();
  readonly #options: LogWriterOptions;
  readonly #check = new RequestCheck();
  readonly #lanes: readonly { readonly waiting: Waiting[]; isBusy: boolean }[];
  #waitingBytes = 0;

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.log.partitions }, () => ({ waiting: [], isBusy: false }));
  }

  /** OTLP bytes that wait for the log, those under way included. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** As SpanWriter.write. A repeated request is a second copy, which is shown once. `body` is freed when nobody needs it any more, acknowledged or not. */
  async write({ tenant, retentionMs }: WriteContext, body: Uint8Array): Promise<WriteResult> {
    const { log, guard, acceptedSpans, timeoutMs } = this.#options;
    const { refusal } = guard;
    if (refusal !== undefined) throw new StoreError('UNAVAILABLE', refusal);
    // Half of a message is for the resource and scope around a span.
    const bounds = acceptedSpans(retentionMs);
    const spanBytesMax = Math.min(bounds.spanBytesMax ?? limits.spanBytesMost, Math.floor(log.messageBytesMax / 2));
    const rejected = new Set<number>();
    const onRejected = (span: number): void => void rejected.add(span);
    const { result: checked } = await this.#check.check(body, {
      ...bounds,
      spanBytesMax,
      onRejected,
    });
    if (checked.stored === 0) return checked;
    let span = 0;
    const slices = cutRequest(body, (bytes, start) =>
      rejected.has(span++) ? NOWHERE : partitionOfTrace(bytes, start, log.partitions),
    );
    slices.delete(NOWHERE);
    const pieces = [...slices].flatMap(([partition, slice]) =>
      this.#fit(slice).map((piece) => ({ partition, body: piece })),
    );
    const deadlineMs = performance.now() + timeoutMs;
    const sent = pieces.map(({ partition, body: piece }) =>
      this.#append(partition, { tenant, body: piece, deadlineMs }),
    );
    const bodies = pieces.map(({ body: piece }) => piece);
    // The log may be away for long, and the pieces have all of it.
    if (!bodies.includes(body)) freeBytes(body);
    await freeWhenSent(sent, bodies);
    return checked;
  }

  /** Pieces of the slice that fit into a message each. Throws LIMIT_EXCEEDED. */
  #fit(slice: Uint8Array): Uint8Array[] {
    const most = this.#options.log.messageBytesMax - payloadBytesMax(1, 0);
    if (slice.length <= most) return [slice];
    let piece = 0;
    let bytes = 0;
    let spans = 0;
    const pieces = cutRequest(slice, (_bytes, _start, _end, sizeBytes) => {
      if (bytes > 0 && bytes + sizeBytes > most / 2) [piece, bytes] = [piece + 1, 0];
      bytes += sizeBytes;
      spans++;
      return piece;
    });
    if (pieces.size > 1) return [...pieces.values()].flatMap((one) => this.#fit(one));
    if (spans > 1) return this.#halve(slice, spans).flatMap((one) => this.#fit(one));
    const what = `a span with its resource and scope has ${slice.length} bytes, a message of the log at most ${most}`;
    throw new StoreError('LIMIT_EXCEEDED', `${what} (max_payload of its servers); send smaller resources`);
  }

  /** Small spans below a large resource. */
  #halve(slice: Uint8Array, spans: number): Uint8Array[] {
    let at = 0;
    return [...cutRequest(slice, () => (at++ < spans / 2 ? 0 : 1)).values()];
  }

  async #append(partition: number, slice: LogSlice & Pick<Waiting, 'deadlineMs'>): Promise<void> {
    const lane = this.#lanes[partition];
    assert(lane !== undefined, `the log has no partition ${partition}`);
    const { length } = slice.body;
    this.#waitingBytes += length;
    try {
      await new Promise<void>((resolve, reject) => {
        lane.waiting.push({ ...slice, resolve, reject });
        if (!lane.isBusy) void this.#run(partition);
      });
    } finally {
      this.#waitingBytes -= length;
    }
  }

  /** Appends what waits for the partition, message by message, until nothing does. */
  async #run(partition: number): Promise<void> {
    const lane = this.#lanes[partition]!;
    lane.isBusy = true;
    // Slices that come in this turn of the event loop go together.
    await Promise.resolve();
    while (lane.waiting.length > 0) {
      const batch = takeBatch(lane.waiting, this.#options.log.messageBytesMax);
      try {
        await this.#appendBatch(partition, batch);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.counters.refused += batch.length;
        for (const { reject } of batch) reject(error);
      }
    }
    lane.isBusy = false;
  }

  /** Until the log has it, or the first of the slices has waited long enough. The same id: a message that is there already is not doubled. */
  async #appendBatch(partition: number, batch: readonly Waiting[]): Promise<void> {
    const { log, retryMs = RETRY_MS } = this.#options;
    const { counters } = this;
    const id = randomUUID();
    const bytes = encodePayload(batch);
    const deadlineMs = batch[0]!.deadlineMs;
    for (;;) {
      const startMs = performance.now();
      try {
        if (startMs >= deadlineMs)
          throw new StoreError('UNAVAILABLE', 'the log did not take the spans in time; send them again');
        await log.append(partition, bytes, id);
        counters.messages++;
        counters.messageBytes += bytes.length;
        counters.slices += batch.length;
        for (const { body } of batch) counters.sliceBytes += body.length;
        countDuration(counters.appends, (performance.now() - startMs) / 1_000);
        return;
      } catch (error) {
        if (!isStoreError(error, 'UNAVAILABLE') || performance.now() + retryMs >= deadlineMs) throw error;
        counters.repeated++;
        await delay(retryMs);
      }
    }
  }
}

function countDuration(appends: AppendDurations, seconds: number): void {
  const { bounds, counts } = appends;
  const at = bounds.findIndex((bound) => seconds <= bound);
  counts[at === -1 ? bounds.length : at]! += 1;
  appends.sum += seconds;
}

/** The first of `waiting` that fit into one message, at least one. */
function takeBatch(waiting: Waiting[], messageBytesMax: number): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { body } of waiting) {
    bytes += body.length;
    if (count > 0 && payloadBytesMax(count + 1, bytes) > messageBytesMax) break;
    count++;
  }
  return waiting.splice(0, count);
}
