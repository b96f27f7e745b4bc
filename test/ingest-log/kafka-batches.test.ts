// Batches as a broker sends them, whole and damaged. test/kafka/kafka-log.test.ts reads those of real brokers.
import { crc32c, createRecordsBatch, type CompressionAlgorithmValue } from '@platformatic/kafka';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DamagedReads, readMessages } from '../../src/ingest-log/kafka-batches.ts';
import { decodePayload } from '../../src/ingest-log/log-payload.ts';
import type { LogMessage } from '../../src/ingest-log/ingest-log.ts';

interface Batch {
  readonly first: number;
  readonly words: readonly string[];
  readonly compression?: CompressionAlgorithmValue;
  readonly timestamp?: bigint;
}

/** As a broker stores it: it writes the offset, which the checksum does not cover. */
function batch({ first, words, compression = 'none', timestamp = 7n }: Batch): Buffer {
  const messages = words.map((word) => ({ topic: 't', partition: 0, value: Buffer.from(word), timestamp }));
  const bytes = Buffer.from(createRecordsBatch(messages, { compression }).buffer);
  bytes.writeBigInt64BE(BigInt(first), 0);
  return bytes;
}

const all = (bytes: Buffer, from = 0n): LogMessage[] => [...readMessages(bytes, from)];
const shown = (messages: readonly LogMessage[]): [bigint, string][] =>
  messages.map(({ offset, bytes }) => [offset, Buffer.from(bytes).toString()]);

test('offsets count from 1, and begin in the middle of a batch', () => {
  const bytes = Buffer.concat([
    batch({ first: 0, words: ['a', 'b'] }),
    batch({ first: 5, words: ['c', 'd', 'e'], compression: 'zstd' }),
  ]);
  expect(shown(all(bytes))).toEqual([
    [1n, 'a'],
    [2n, 'b'],
    [6n, 'c'],
    [7n, 'd'],
    [8n, 'e'],
  ]);
  expect(shown(all(bytes, 6n))).toEqual([
    [7n, 'd'],
    [8n, 'e'],
  ]);
  expect(all(bytes)[0]!.timeMs).toBe(7);
});

test('a time that is none is not known, or the last that there is; also of a damaged batch', () => {
  for (const [timestamp, timeMs] of [
    [-1n, 0],
    [-(2n ** 63n), 0],
    [0n, 0],
    [8_640_000_000_000_000n, 8.64e15],
    [2n ** 63n - 1n, 8.64e15],
  ] as const) {
    const bytes = batch({ first: 0, words: ['a'], timestamp });
    expect(all(bytes)).toMatchObject([{ timeMs }]);
    bytes[bytes.length - 1]! ^= 1;
    expect(all(bytes)).toMatchObject([{ timeMs }]);
  }
});

test('what is cut off at the end is left out', () => {
  const bytes = Buffer.concat([batch({ first: 0, words: ['a'] }), batch({ first: 1, words: ['b'] })]);
  for (let cut = 1; cut < batch({ first: 1, words: ['b'] }).length; cut++)
    expect(shown(all(bytes.subarray(0, bytes.length - cut)))).toEqual([[1n, 'a']]);
});

test('a flipped byte damages its batch alone, and nothing of it is taken for spans', () => {
  const sides = [batch({ first: 0, words: ['a'] }), batch({ first: 4, words: ['z'] })] as const;
  const compressions: CompressionAlgorithmValue[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
  fc.assert(
    fc.property(
      fc.constantFrom(...compressions),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (compression, at, flip) => {
        const between = batch({ first: 1, words: ['b'.repeat(40), 'c', 'd'.repeat(90)], compression });
        // The checksum covers what is behind it; of what is before it, the broker itself makes use.
        const place = 21 + (at % (between.length - 21));
        between[place]! ^= flip;
        const messages = all(Buffer.concat([sides[0], between, sides[1]]));
        expect([messages[0], messages.at(-1)].map((one) => shown([one!])[0])).toEqual([
          [1n, 'a'],
          [5n, 'z'],
        ]);
        expect(messages).toHaveLength(3);
        const { bytes } = messages[1]!;
        expect(Buffer.compare(bytes, between)).toBe(0);
        expect(decodePayload(bytes)[0]!.body[0]).toBe(0);
      },
    ),
  );
});

test('of a damaged batch that is the last, one offset is passed over at a time', () => {
  const bytes = Buffer.concat([batch({ first: 0, words: ['a'] }), batch({ first: 1, words: ['b', 'c', 'd'] })]);
  bytes[bytes.length - 1]! ^= 1;
  expect(all(bytes).map(({ offset }) => offset)).toEqual([1n, 2n]);
  for (const from of [2n, 3n]) expect(all(bytes, from).map(({ offset }) => offset)).toEqual([from + 1n]);
});

test('a batch whose checksum fits and whose compressed bytes are none is damaged, too', () => {
  const raw = batch({ first: 0, words: ['a', 'b'] });
  // Its attributes say zstd.
  raw.writeInt16BE(4, 21);
  raw.writeUInt32BE(crc32c(raw.subarray(21)), 17);
  expect(all(raw)).toMatchObject([{ offset: 1n }]);
});

test('a damaged batch is asked for again before it is given', () => {
  const bytes = Buffer.concat([
    batch({ first: 0, words: ['a'] }),
    batch({ first: 1, words: ['b', 'c'] }),
    batch({ first: 3, words: ['d'] }),
  ]);
  const whole = Buffer.from(bytes);
  bytes[bytes.length - batch({ first: 3, words: ['d'] }).length - 1]! ^= 1;
  const reads = new DamagedReads();
  const given: string[] = [];
  const read = (from: bigint, some: Buffer): string => {
    given.length = 0;
    try {
      for (const message of readMessages(some, from, reads)) given.push(String(message.offset));
      return given.join();
    } catch (error) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE' });
      return `${given.join()} and again`;
    }
  };
  expect(read(0n, bytes)).toBe('1 and again');
  for (let n = 1; n < 5; n++) expect(read(1n, bytes)).toBe(' and again');
  // It stays so: then it is put aside, also where it is read from its middle.
  expect([read(1n, bytes), read(2n, bytes)]).toEqual(['3,4', '3,4']);
  const fresh = new DamagedReads();
  expect(() => [...readMessages(bytes, 1n, fresh)]).toThrow('checksum');
  expect(shown([...readMessages(whole, 1n, fresh)])).toEqual([
    [2n, 'b'],
    [3n, 'c'],
    [4n, 'd'],
  ]);
});

test('what cannot be read at all is asked for again, not at full speed', () => {
  const damaged = batch({ first: 0, words: ['a', 'b'] });
  for (const length of [-1, 0, 48, damaged.length, 2 ** 31 - 1]) {
    damaged.writeInt32BE(length, 8);
    expect(() => all(damaged), String(length)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
  }
  expect(() => all(damaged.subarray(0, 20))).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
  expect(all(Buffer.alloc(0))).toEqual([]);
});

test('a batch whose last messages the log has dropped is passed to its end', () => {
  const bytes = batch({ first: 4, words: ['a', 'b'] });
  bytes.writeInt32BE(3, 23);
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  expect(shown(all(bytes))).toEqual([
    [5n, 'a'],
    [6n, 'b'],
    [8n, ''],
  ]);
  expect(shown(all(bytes, 7n))).toEqual([[8n, '']]);
  const empty = Buffer.from(bytes.subarray(0, 61));
  empty.writeInt32BE(empty.length - 12, 8);
  empty.writeInt32BE(0, 57);
  empty.writeUInt32BE(crc32c(empty.subarray(21)), 17);
  expect(shown(all(empty, 4n))).toEqual([[8n, '']]);
  expect(all(empty)[0]!.timeMs).toBe(7);
});
