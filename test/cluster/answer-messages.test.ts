// What another process sent is an answer only if its parts fit together: a merge sums up and sorts what it is given.
import { expect, test } from 'vitest';
import {
  hitsOf,
  metricsQueryOf,
  queryOfMessage,
  seriesMessageOf,
  seriesOf,
} from '../../src/cluster/answer-messages.ts';
import { LATENCY_BUCKETS } from '../../src/trace/latency-buckets.ts';
import { idOf } from '../block/scanned.ts';

const lists = {
  minutes: [1, 2],
  calls: [2, 1],
  errors: [0, 1],
  bucketEnds: [2, 3],
  buckets: [3, 4, LATENCY_BUCKETS - 1],
  counts: [1, 1, 1],
};

test('a series is what was sent', () => {
  const series = seriesOf({ service: 's', operation: 'o', ...lists });
  expect(seriesMessageOf(series)).toEqual({ service: 's', operation: 'o', ...lists });
  const none = { minutes: [], calls: [], errors: [], bucketEnds: [], buckets: [], counts: [] };
  expect(seriesMessageOf(seriesOf(none))).toEqual({ service: '', operation: undefined, ...none });
});

test.for([
  ['a minute without calls', { calls: [2] }],
  ['more errors than minutes', { errors: [0, 1, 2] }],
  ['a minute without its buckets', { bucketEnds: [3] }],
  ['buckets beyond the last minute', { bucketEnds: [1, 2] }],
  ['buckets that go back', { bucketEnds: [4, 3] }],
  ['a bucket without a count', { counts: [1, 1] }],
  ['a bucket that there is not', { buckets: [3, 4, LATENCY_BUCKETS] }],
] as const)('%s: no series', ([, change]) => {
  expect(() => seriesOf({ service: 's', ...lists, ...change })).toThrow(
    expect.objectContaining({ code: 'UNAVAILABLE', message: 'a storage node sent a broken series of s' }),
  );
});

test('a hit has a trace id of its own', () => {
  const traceId = idOf(1, 16);
  const [hit] = hitsOf({ hits: [{ traceId, matchedStartNs: 5n }] });
  expect(hit).toEqual({ traceId, matchedStartNs: 5n });
  // It does not keep the message in memory.
  expect(hit!.traceId.buffer.byteLength).toBe(16);
  for (const short of [undefined, new Uint8Array(0), new Uint8Array(8), new Uint8Array(17)]) {
    const message = short === undefined ? {} : { traceId: short };
    expect(() => hitsOf({ hits: [message] })).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
  }
});

test('what is absent in a question means what it meant before there was such a field', () => {
  expect(queryOfMessage({ tags: [{}] })).toEqual({
    service: undefined,
    operation: undefined,
    tags: [{ key: '', value: '', isPattern: false, isNegated: false }],
    startMinNs: 0n,
    startMaxNs: 0n,
    durationMinNs: undefined,
    durationMaxNs: undefined,
    limit: 0,
  });
  const empty = { services: [], kinds: [], startNs: 0n, endNs: 0n, isByOperation: false };
  expect(metricsQueryOf({ services: [], kinds: [] })).toEqual(empty);
});
