import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { BodyReader } from '../../src/tools/node-client.ts';
import { BUCKETS, lackedBy, readDigests, SpanBuckets, type TraceDigests } from '../../src/tools/span-buckets.ts';

let folder: string;
let folders = 0;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'tracelith-buckets-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function record(trace: number, digests: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(20 + 8 * digests.length);
  bytes.writeUInt32BE(trace, 12);
  bytes.writeUInt32LE(digests.length, 16);
  digests.forEach((digest, i) => bytes.writeBigUInt64LE(digest, 20 + 8 * i));
  return bytes;
}

function last(warnings: readonly string[]): Buffer {
  const text = Buffer.from(JSON.stringify({ warnings }));
  const head = Buffer.alloc(20);
  head.writeUInt32LE(text.length, 16);
  return Buffer.concat([head, text]);
}

function bucketsOf(records: readonly Buffer[]): {
  all: Map<string, readonly bigint[]>;
  read: TraceDigests[];
  files: number;
} {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  using buckets = new SpanBuckets(nodeDisk, path);
  for (const one of records) buckets.add(one);
  const read = Array.from({ length: BUCKETS }, (_, i) => buckets.read(i));
  const all = new Map(read.flatMap((bucket) => [...bucket].map(([id, digests]) => [id, [...digests]] as const)));
  return { all, read, files: readdirSync(path).length };
}

const key = (trace: number): string => record(trace, []).toString('latin1', 0, 16);

test('a trace in pieces is one, its spans once each, in order', () => {
  const { all } = bucketsOf([record(1, [5n, 3n]), record(2, [9n]), record(1, [3n, 4n])]);
  expect(all).toEqual(
    new Map([
      [key(1), [3n, 4n, 5n]],
      [key(2), [9n]],
    ]),
  );
});

test('many spans go to files and come back, and the files go with the buckets', () => {
  const records = Array.from({ length: 40_000 }, (_, i) => record(i, [BigInt(i), BigInt(i) << 32n, 2n, 3n, 4n]));
  const { all, read, files } = bucketsOf([...records, ...records, ...records, ...records, ...records]);
  expect([all.size, files]).toEqual([40_000, BUCKETS]);
  expect(all.get(key(39_999))).toEqual([2n, 3n, 4n, 39_999n, 39_999n << 32n]);
  // None is far larger than the others: that is what bounds memory.
  expect(Math.max(...read.map(({ size }) => size))).toBeLessThan(2 * (40_000 / BUCKETS));
  expect(readdirSync(join(folder, String(folders - 1)))).toEqual([]);
});

test('a trace is lacked if a span of it is, whatever else the other has', () => {
  const own = bucketsOf([record(1, [1n, 2n]), record(2, [1n]), record(3, [1n]), record(4, [7n])]).all;
  const other = bucketsOf([record(1, [1n]), record(2, [1n, 9n]), record(4, [8n])]).all;
  const digests = (map: Map<string, readonly bigint[]>): TraceDigests =>
    new Map([...map].map(([id, list]) => [id, BigUint64Array.from(list)]));
  const lacked = lackedBy(digests(other), digests(own)).map((id) => id.readUInt32BE(12));
  expect(lacked.toSorted((x, y) => x - y)).toEqual([1, 3, 4]);
});

async function read(bytes: Buffer, chunk: number): Promise<{ records: string[]; warnings: readonly string[] }> {
  const records: string[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(stream) {
      for (let at = 0; at < bytes.length; at += chunk) stream.enqueue(bytes.subarray(at, at + chunk));
      stream.close();
    },
  });
  const warnings = await readDigests(new BodyReader({ url: 'http://node', body }), (one) => {
    records.push(Buffer.from(one).toString('hex'));
  });
  return { records, warnings };
}

test.each([1, 7, 20, 1000])('an answer is read whole in chunks of %i bytes', async (chunk) => {
  const records = [record(1, [1n, 2n]), record(2, []), record(3, [3n])];
  expect(await read(Buffer.concat([...records, last(['a block is lost'])]), chunk)).toEqual({
    records: records.map((one) => one.toString('hex')),
    warnings: ['a block is lost'],
  });
});

test('an answer that is cut anywhere, or goes on behind its end, is refused', async () => {
  const whole = Buffer.concat([record(1, [1n, 2n]), last([])]);
  for (let size = 0; size < whole.length; size++)
    await expect(read(whole.subarray(0, size), 16)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(read(Buffer.concat([whole, Buffer.of(1)]), 16)).rejects.toMatchObject({ code: 'CORRUPTION' });
});
