// A scan in steps: it is the scan, wherever it stops; given up at any step it leaves nothing; and what is much work for few
// bytes is refused early.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { RequestScan, scanRequest } from '../../src/otlp/scan-request.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { createRandom, randomRequest } from '../support/random-request.ts';
import { spanSet } from '../support/span-set.ts';

const ALL_TIME = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };
const START_NS = 1_790_000_000_000_000_000n;

const spansOf = (batch: SpanBatch): string[] => {
  const rows = Uint32Array.from({ length: batch.rowCount }, (_, row) => row);
  return rows.length === 0 ? [] : spanSet([writeTraces(batch, rows)]);
};
const bodyOf = (seed: number): Uint8Array => encodeRequest(randomRequest(createRandom(seed), START_NS));

test('stopped anywhere and gone on with, or given up, a scan is what it is at once, or nothing', () => {
  const seeds = fc.integer({ min: 1, max: 2 ** 31 });
  fc.assert(
    fc.property(seeds, seeds, fc.integer({ min: 1, max: 3_000 }), fc.nat(20), (first, second, work, stepsMax) => {
      const batch = new SpanBatch();
      scanRequest(batch, bodyOf(first), ALL_TIME);
      const before = [spansOf(batch), batch.rowBytes];
      const givenUp = new RequestScan(batch, bodyOf(second), ALL_TIME);
      for (let step = 0; step < stepsMax; step++) if (givenUp.step(work) !== undefined) break;
      givenUp.undo();
      expect([spansOf(batch), batch.rowBytes]).toEqual(before);

      const scan = new RequestScan(batch, bodyOf(second), ALL_TIME);
      let result = scan.step(work);
      while (result === undefined) result = scan.step(work);
      const atOnce = new SpanBatch();
      scanRequest(atOnce, bodyOf(first), ALL_TIME);
      expect(result).toEqual(scanRequest(atOnce, bodyOf(second), ALL_TIME));
      expect(spansOf(batch)).toEqual(spansOf(atOnce));
    }),
    { numRuns: 200 },
  );
});

/** A field of `size` bytes, all zero, or of `content`. */
function field(number: number, content: Uint8Array): Buffer {
  const head = [number * 8 + 2];
  let rest = content.length;
  for (; rest > 127; rest >>>= 7) head.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...head, rest]), content]);
}
const repeated = (content: Uint8Array, times: number): Buffer =>
  Buffer.alloc(content.length * times, Buffer.from(content));

describe('what is much work for few bytes', () => {
  const ids = Buffer.concat([field(1, Buffer.alloc(16, 1)), field(2, Buffer.alloc(8, 1))]);
  const named = (n: number): Buffer => field(2, Buffer.concat([ids, field(5, Buffer.from(`name ${n}`))]));
  const names = Array.from({ length: limits.requestNamesMax + 2 }, (_, n) => named(n));
  const inScope = (spans: Buffer): Buffer => field(1, field(2, spans));
  // An event of two bytes has many times as many in columns.
  const events = field(2, Buffer.concat([ids, repeated(Buffer.from([0x5a, 0]), limits.childrenPerSpanMax)]));

  test.each([
    ['groups', repeated(Buffer.from([0x0a, 0]), limits.requestGroupsMax + 1), 'resources and scopes'],
    ['spans without bytes', inScope(repeated(Buffer.from([0x12, 0]), limits.requestSpansMax + 1)), 'spans'],
    ['names', inScope(Buffer.concat(names)), 'new names of spans, events and attributes'],
    ['events', inScope(repeated(events, 24)), 'too many events, links or attributes without content'],
  ])('%s: is refused, and leaves nothing', (_, body, reason) => {
    const batch = new SpanBatch();
    scanRequest(batch, bodyOf(7), ALL_TIME);
    const before = [spansOf(batch), batch.rowBytes];
    expect(() => scanRequest(batch, body, ALL_TIME)).toThrow(reason);
    expect([spansOf(batch), batch.rowBytes]).toEqual(before);
    // What was stored once is read whatever it is.
    expect(scanRequest(new SpanBatch(), body, { ...ALL_TIME, isAccepted: true })).toBeDefined();
  });

  test('a span with too many events, and one that is too large, is rejected without looking into it', () => {
    const many = field(2, Buffer.concat([ids, repeated(Buffer.from([0x5a, 0]), limits.childrenPerSpanMax + 1)]));
    const large = field(2, Buffer.concat([ids, field(5, Buffer.alloc(5 << 20)), Buffer.from([0xff])]));
    const good = field(2, Buffer.concat([ids, field(5, Buffer.from('good'))]));
    const result = scanRequest(new SpanBatch(), inScope(Buffer.concat([many, large, good])), ALL_TIME);
    expect(result).toMatchObject({ stored: 1, rejected: new Map([['too_large', 2]]) });
  });
});
