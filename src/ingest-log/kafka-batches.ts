// Batches of messages as Kafka keeps them, read one after the other, each against its checksum: the client does not look at it. A batch
// that is damaged is read again, and if it stays so becomes one message of its raw bytes. They begin with a zero, as no request does,
// so whoever reads puts it aside.
import { crc32c, Reader, readRecordsBatch, ResponseError, type RecordsBatch } from '@platformatic/kafka';
import { StoreError } from '../base/errors.ts';
import type { LogMessage } from './ingest-log.ts';

/** Base offset and length. */
const HEAD_BYTES = 12;
/** After the leader's epoch and the version; it covers all behind it. */
const CRC_AT = 17;
const CRC_BYTES = 4;
/** Up to the count of messages. */
const HEADER_BYTES = 61;
const MAX_TIMESTAMP_AT = 35;
/** In a batch's attributes. */
const IS_CONTROL = 0x20;
const HAS_APPEND_TIME = 0x08;
/** The last time that a Date has. */
const TIME_MS_MAX = 8.64e15;
/** A damaged batch is read again so often: on its way, or in the replica that leads now, it may have been damaged alone. */
const DAMAGED_READS_MAX = 5;

/** The batches in the answer to a fetch (version 13) of one partition; empty: there are none. Throws ResponseError. */
export function readFetched(_correlationId: number, apiKey: number, apiVersion: number, reader: Reader): Buffer {
  reader.readInt32(); // how long the broker holds this client back
  const ofAll = reader.readInt16();
  reader.readInt32(); // session
  let code = ofAll;
  let batches: Buffer = Buffer.alloc(0);
  reader.readArray((topic) => {
    topic.readUUID();
    topic.readArray((partition) => {
      partition.readInt32();
      code ||= partition.readInt16();
      partition.skip(3 * 8); // high watermark, end of open transactions, start
      partition.readNullableArray((transaction) => transaction.skip(2 * 8));
      partition.readInt32(); // a replica that is nearer
      batches = partition.readNullableBytes() ?? batches;
    });
  });
  if (code !== 0) throw new ResponseError(apiKey, apiVersion, { '/': [code, null] }, undefined);
  return batches;
}

/** How often the damaged batch of a partition was read. */
export class DamagedReads {
  #first = -1n;
  #reads = 0;

  /** Throws UNAVAILABLE while the batch that begins at Kafka's offset `first` is to be read again. */
  check(first: bigint): void {
    if (this.#first !== first) [this.#first, this.#reads] = [first, 0];
    if (this.#reads++ < DAMAGED_READS_MAX)
      throw new StoreError('UNAVAILABLE', `a batch of Kafka at offset ${first} fails its checksum; it is read again`);
  }
}

/**
 * The messages of the batches, in order, from Kafka's offset `from` on. What is cut off at the end is left out. Throws UNAVAILABLE,
 * so that it is read again: at a damaged batch as `reads` says, and if there are bytes and nothing can be read of them.
 */
export function* readMessages(batches: Buffer, from: bigint, reads?: DamagedReads): Generator<LogMessage> {
  let given = 0;
  for (let at = 0; at + HEADER_BYTES <= batches.length;) {
    const end = at + HEAD_BYTES + batches.readInt32BE(at + 8);
    if (end > batches.length || end < at + HEADER_BYTES) break;
    const batch = batches.subarray(at, end);
    let messages = decoded(batch);
    if (messages === undefined) {
      reads?.check(batch.readBigInt64BE(0));
      messages = [damaged(batch, { from, rest: batches.subarray(end) })];
    }
    at = end;
    for (const message of messages) {
      if (message.offset <= from) continue;
      given++;
      yield message;
    }
  }
  // A broker always sends one batch whole.
  if (given === 0 && batches.length > 0)
    throw new StoreError(
      'UNAVAILABLE',
      `the ${batches.length} bytes that Kafka sent hold no message from offset ${from} on`,
    );
}

/** undefined: the batch is damaged. */
function decoded(bytes: Buffer): LogMessage[] | undefined {
  if (bytes.readUInt32BE(CRC_AT) !== crc32c(bytes.subarray(CRC_AT + CRC_BYTES))) return undefined;
  try {
    return messagesOf(readRecordsBatch(Reader.from(bytes)));
  } catch (error) {
    // Compressed bytes that are none, or lengths that lead nowhere, under a checksum that is right.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** It ends where the next one begins. Of the last one nobody knows the end, so only one of its offsets is passed over. */
function damaged(bytes: Buffer, { from, rest }: { readonly from: bigint; readonly rest: Buffer }): LogMessage {
  const first = bytes.readBigInt64BE(0);
  const next = rest.length >= HEADER_BYTES ? rest.readBigInt64BE(0) : 0n;
  const here = from > first ? from : first;
  const timeMs = timeOf(bytes.readBigInt64BE(MAX_TIMESTAMP_AT));
  return { offset: next > here ? next : here + 1n, bytes: new Uint8Array(bytes), timeMs };
}

/**
 * What a transaction of another program wrote about itself has an offset, too: it is a message without bytes. So is the end of a
 * batch whose last messages were compacted away: otherwise nobody would come past it.
 */
function messagesOf(batch: RecordsBatch): LogMessage[] {
  const isControl = (batch.attributes & IS_CONTROL) !== 0;
  const appendTime = (batch.attributes & HAS_APPEND_TIME) !== 0 ? batch.maxTimestamp : undefined;
  const { records, lastOffsetDelta } = batch;
  const timestampDelta = batch.maxTimestamp - batch.firstTimestamp;
  const isWhole = records.at(-1)?.offsetDelta === lastOffsetDelta;
  const end = isWhole ? [] : [{ offsetDelta: lastOffsetDelta, timestampDelta, key: undefined, value: null }];
  return [...records, ...end].map(({ offsetDelta, timestampDelta, key, value }) => ({
    offset: batch.firstOffset + BigInt(offsetDelta) + 1n,
    id: key?.toString(),
    bytes: isControl || value === null ? new Uint8Array(0) : value,
    timeMs: timeOf(appendTime ?? batch.firstTimestamp + timestampDelta),
  }));
}

/** Whoever writes into Kafka may say any time, and -1 for none. */
function timeOf(ms: bigint): number {
  return Math.min(Math.max(Number(ms), 0), TIME_MS_MAX);
}
