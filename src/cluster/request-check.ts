// The store's own scan of a whole request, before any of it is sent on: a malformed request must store nothing, wherever its spans
// would go, and what is rejected by itself is known. Stores nothing: the scanned rows are dropped. It takes some 1.4 us a
// span (one thread of a fast machine); dictionaries are kept between requests.
import { setImmediate as turn } from 'node:timers/promises';
import { limits } from '../base/limits.ts';
import { RequestScan, type ScanBounds } from '../otlp/scan-request.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { StartWindow, WriteResult } from '../trace/store.ts';

/** Limits that may differ from node to node are left to the nodes. */
const ANY_LIMITS: ScanBounds = {
  startMinNs: -(2n ** 63n),
  startMaxNs: 2n ** 63n - 1n,
  spanAttributesMax: limits.attributesPerSpanMost,
  spanBytesMax: limits.spanBytesMost,
};
/** Bytes of usual spans that take some 20 ms; larger requests are scanned in such steps, in a batch of their own. */
const STEP_WORK: number = 4 << 20;
/** Names and templates that are kept for the next requests. */
const DICTIONARY_BYTES_MAX: number = 8 << 20;

export interface CheckedRequest {
  /** What a store answers. */
  readonly result: WriteResult;
  /** When its spans start; means nothing if none is stored. */
  readonly starts: StartWindow;
}

export class RequestCheck {
  readonly #batch = new SpanBatch();

  /** What a store answers that has only the given limits of its own. Throws INVALID_REQUEST, LIMIT_EXCEEDED. */
  async check(body: Uint8Array, own: Partial<ScanBounds> = {}): Promise<CheckedRequest> {
    const bounds = { ...ANY_LIMITS, ...own };
    if (body.length > STEP_WORK) return await checkInSteps(body, bounds);
    const batch = this.#batch;
    // The body is copied into the kept arena: 0.1 us a span. An arena that took over the body would be copied whole as soon
    // as a text is appended that is not in the body.
    try {
      return checked(new RequestScan(batch, body, bounds).step(Infinity)!, batch);
    } finally {
      batch.clearRows();
      if (batch.dictionaryBytes > DICTIONARY_BYTES_MAX) batch.clear();
    }
  }
}

async function checkInSteps(body: Uint8Array, bounds: ScanBounds): Promise<CheckedRequest> {
  const batch = new SpanBatch();
  batch.arena = new Uint8Array(0);
  const scan = new RequestScan(batch, body, bounds);
  for (;;) {
    const result = scan.step(STEP_WORK);
    if (result !== undefined) return checked(result, batch);
    await turn();
  }
}

function checked(result: WriteResult, batch: SpanBatch): CheckedRequest {
  let [min, max] = [0, 0];
  for (let row = 1; row < batch.rowCount; row++) {
    if (startsBefore(batch, row, min)) min = row;
    else if (startsBefore(batch, max, row)) max = row;
  }
  return { result, starts: { startMinNs: startNs(batch, min), startMaxNs: startNs(batch, max) } };
}

function startsBefore({ day, start }: SpanBatch, one: number, other: number): boolean {
  return day[one]! < day[other]! || (day[one] === day[other] && start[one]! < start[other]!);
}

function startNs({ day, start }: SpanBatch, row: number): bigint {
  return BigInt(day[row]!) * BigInt(DAY_NS) + BigInt(start[row]!);
}
