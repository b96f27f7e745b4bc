// A request cut by trace: the slices hold its spans, each once, as the store reads them.
import { expect, test } from 'vitest';
import { cutRequest } from '../../src/cluster/cut-request.ts';
import { createRandom } from '../support/random-request.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { decodeRequest, encodeRequest, spansOf } from '../support/otlp-proto.ts';
import { randomRequest } from '../support/random-request.ts';
import { NOON_NS, requestOf, span } from '../block/scanned.ts';

const ANY = { startMinNs: -(2n ** 63n), startMaxNs: 2n ** 63n - 1n };
const byLastByte =
  (nodes: number) =>
  (bytes: Uint8Array, _start: number, end: number): number =>
    end === 0 ? 0 : bytes[end - 1]! % nodes;

/** All spans of the requests, as one trace's answer has them. */
function answerOf(requests: Iterable<Uint8Array>): string {
  const batch = new SpanBatch();
  for (const request of requests) scanRequest(batch, request.slice(), ANY);
  if (batch.rowCount === 0) return '';
  return Buffer.from(writeTraces(batch, regroupByTrace(batch).rows)).toString('hex');
}

test('random requests: the slices together are the request, and each has only its node’s traces', () => {
  const random = createRandom(5);
  let cut = 0;
  for (let i = 0; i < 60; i++) {
    const request = encodeRequest(randomRequest(random, NOON_NS));
    const slices = cutRequest(request, byLastByte(3));
    if (slices.size > 1) cut++;
    expect(answerOf(slices.values())).toBe(answerOf([request]));
    for (const [node, slice] of slices) {
      const ids = spansOf(decodeRequest(slice)).map(({ traceId }) => traceId ?? new Uint8Array(0));
      expect(ids.every((id) => byLastByte(3)(id, 0, id.length) === node)).toBe(true);
    }
  }
  expect(cut).toBeGreaterThan(20);
});

test('a request for one node passes uncopied, one without spans nowhere', () => {
  const request = encodeRequest(requestOf([span(1), span(2)]));
  expect([...cutRequest(request, () => 7)]).toEqual([[7, request]]);
  expect(cutRequest(request, () => 7).get(7)).toBe(request);
  expect(cutRequest(encodeRequest({ resourceSpans: [{ resource: { attributes: [] } }] }), () => 7).size).toBe(0);
});

test('the order of a node’s spans is kept, and their resource', () => {
  const both = requestOf([1, 2, 3, 4].map((n) => span(n, { trace: 1 + (n % 2) })));
  const bytes = encodeRequest(both);
  const slices = cutRequest(bytes, byLastByte(2));
  const spanIds = [...slices.values()].map((slice) => spansOf(decodeRequest(slice)).map(({ spanId }) => spanId![7]));
  expect(spanIds).toEqual([
    [1, 3],
    [2, 4],
  ]);
  for (const slice of slices.values()) {
    expect(decodeRequest(slice).resourceSpans).toMatchObject([{ resource: both.resourceSpans![0]!.resource }]);
  }
});

test('a span without a trace id has a node too', () => {
  const request = encodeRequest(
    requestOf([span(1), { ...span(2), traceId: new Uint8Array(0) }, span(3, { trace: 3 })]),
  );
  const slices = cutRequest(request, (bytes, start, end) => (end - start === 16 ? bytes[end - 1]! : 0));
  expect([...slices.keys()].sort((x, y) => x - y)).toEqual([0, 1, 3]);
});
