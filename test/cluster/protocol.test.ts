// The messages between nodes: their bytes are those of version 1 for ever (fixtures/cluster/v1.txt), a field that is not known yet is
// passed over, and the page says what the program says. With -u, a new message gets its line.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  explainMessageOf,
  explanationOf,
  linksMessageOf,
  linksOf,
  queryMessageOf,
  queryOfMessage,
  seriesMessageOf,
  seriesOf,
} from '../../src/cluster/answer-messages.ts';
import {
  offsetsOfText,
  offsetsText,
  CLUSTER_PROTO,
  codecOf,
  decodeMarks,
  decodeSliceResult,
  encodeMarks,
  encodeSliceResult,
  straysOf,
  straysOfText,
  straysText,
} from '../../src/cluster/protocol.ts';
import { methodSchema } from '../../src/api/grpc/grpc-schema.ts';
import { BLOCK_FATES, type SearchExplanation } from '../../src/trace/search-explanation.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { root } from '../support/source-tree.ts';
import { idOf } from '../block/scanned.ts';

const PACKAGE = 'tracelith.cluster.v1';
const query: TraceQuery = {
  service: 'shop',
  operation: '',
  tags: [{ key: 'k', value: 'v', isPattern: true, isNegated: false }],
  startMinNs: 1n,
  startMaxNs: 2n ** 63n - 1n,
  durationMinNs: 5n,
  durationMaxNs: undefined,
  limit: 20,
  lastUnit: { startNs: 7n, tracesMax: 30 },
};
const explanation: SearchExplanation = {
  partitions: 1,
  parts: 2,
  blocks: 3,
  logBlocks: 4,
  fates: Object.fromEntries(BLOCK_FATES.map((fate, i) => [fate, i])) as SearchExplanation['fates'],
  bytes: 2 ** 40,
  traces: 6,
  waitedMs: 0.5,
  tookMs: 12,
  warnings: [],
};
const series = {
  service: 's',
  operation: 'op',
  minutes: Float64Array.of(29_000_000, 29_000_001),
  calls: Float64Array.of(2, 1),
  errors: Float64Array.of(0, 1),
  bucketEnds: Uint32Array.of(1, 2),
  buckets: Uint16Array.of(300, 7),
  counts: Float64Array.of(2, 1),
};
const link = { parent: 'a', child: 'b', callCount: 2 ** 40, errorCount: 1 };

/** A message of each type with every field set. */
const SAMPLES: Readonly<Record<string, object>> = {
  DescribeResponse: { name: 'store-1', version: '1.2.3', protocol: 1, isReadOnly: true, instance: 'i' },
  LogPlace: { zone: 'a', ordinal: 1, nodes: 2, partitions: 16, consumed: { 1: 2n ** 40n, 3: 7n }, hasGaps: true },
  WriteSlicesRequest: { slices: [{ tenant: '1:2', key: 'k', body: Uint8Array.of(1, 2) }] },
  WriteSlicesResponse: {
    results: [
      { stored: 7n, rejected: { too_large: 2n }, unknownField: '9 in the request' },
      { rejected: {}, code: 'READ_ONLY', message: 'full' },
    ],
  },
  SearchRequest: { query: queryMessageOf({ ...query, filterMessage: Uint8Array.of(10, 1, 97) }) },
  SearchResponse: { hits: [{ traceId: idOf(1, 16), matchedStartNs: 2n ** 60n }] },
  TraceIds: { traceIds: [idOf(1, 16), idOf(2, 16)] },
  DependenciesRequest: { startNs: 1n, endNs: 2n },
  DependenciesResponse: linksMessageOf([link]),
  CallSeriesRequest: { services: ['a'], kinds: [2, 3], startNs: 1n, endNs: 2n, isByOperation: true },
  Series: seriesMessageOf(series),
  ExplainResponse: explainMessageOf(explanation),
  ArchiveRequest: { traceId: idOf(1, 16) },
  ArchiveResponse: { isFound: true },
  Marks: { warnings: ['a block'], missing: [{ node: 'n', reason: 'r' }] },
  Behind: { partition: 3, offset: 2n ** 40n, ageMs: 1_500n },
  Slice: {
    tenant: '1:2',
    key: 'k',
    body: Uint8Array.of(1),
    strays: { startMinNs: 2n ** 60n, startMaxNs: 2n ** 60n + 1n },
  },
};

const FIXTURES = join(root, 'fixtures/cluster/v1.txt');

test('every message is written as version 1 writes it', async () => {
  const lines = Object.entries(SAMPLES).map(([name, sample]) => {
    return `${name} ${Buffer.from(codecOf<object>(`${PACKAGE}.${name}`).encode(sample)).toString('hex')}\n`;
  });
  await expect(lines.join('')).toMatchFileSnapshot(FIXTURES);
});

describe('is read again, also with fields of a later version', () => {
  const lines = readFileSync(FIXTURES, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  test.each(lines.map((line) => line.split(' ') as [string, string]))('%s', (name, hex) => {
    const codec = codecOf<object>(`${PACKAGE}.${name}`);
    const bytes = Buffer.from(hex, 'hex');
    const read = codec.decode(bytes);
    expect(codec.encode(read)).toEqual(codec.encode(SAMPLES[name]!));
    // Field 1000, a text.
    expect(codec.decode(Buffer.concat([bytes, Buffer.from('c23e026869', 'hex')]))).toEqual(read);
    expect(() => codec.decode(Uint8Array.of(0x0a, 0xff))).toThrow(/a storage node sent what is no/);
  });
});

test('the page has the messages of the program', () => {
  const page = readFileSync(join(root, 'docs/format/cluster-protocol.md'), 'utf8');
  expect(/```proto\n([^`]*)```/.exec(page)?.[1]).toBe(`${CLUSTER_PROTO}\n`);
  expect(methodSchema(`${PACKAGE}.StorageNode`, 'GetCallSeries').isStream).toBe(true);
});

test('strays of a whole request cross as text; what is no window is refused', () => {
  const window = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };
  expect(straysOfText(straysText(window))).toEqual(window);
  expect(straysOf({})).toEqual({ startMinNs: 0n, startMaxNs: 0n });
  for (const text of ['', '1', '-1-2', '1-', '1-2-3', '1-a', '2-1'])
    expect(() => straysOfText(text), text).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
});

test('what crosses is what was meant', () => {
  const codec = codecOf<ReturnType<typeof queryMessageOf>>(`${PACKAGE}.Query`);
  const crossed = (one: TraceQuery): TraceQuery => queryOfMessage(codec.decode(codec.encode(queryMessageOf(one))));
  expect(crossed(query)).toEqual(query);
  const bare = { ...query, service: undefined, operation: undefined, tags: [], durationMinNs: undefined };
  expect(crossed(bare)).toEqual(bare);
  expect(linksOf(linksMessageOf([link]))).toEqual([link]);
  expect(seriesOf(seriesMessageOf(series))).toEqual(series);
  expect(explanationOf(explainMessageOf(explanation), { warnings: [] })).toEqual(explanation);
  const result = { stored: 3, rejected: new Map([['too_deep', 1]] as const), unknownField: 'x' };
  expect(decodeSliceResult(Buffer.from(encodeSliceResult(result), 'base64'))).toEqual(result);
});

test('offsets cross as text, and lags in marks', () => {
  const offsets = new Map([
    [0, 0n],
    [1_023, 2n ** 53n],
  ]);
  expect(offsetsOfText(offsetsText(offsets))).toEqual(offsets);
  expect(offsetsOfText('')).toEqual(new Map());
  for (const wrong of ['1', '1:', ':1', '1:2,', '-1:2', '1:2;3:4', `1:${'9'.repeat(20)}`])
    expect(() => offsetsOfText(wrong), wrong).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  const behind = [
    { partition: 0, offset: 0n, ageMs: 0 },
    { partition: 7, offset: 9n, ageMs: 1_500 },
  ];
  expect(decodeMarks(Buffer.from(encodeMarks({ warnings: [], behind })!, 'base64'))).toEqual({ warnings: [], behind });
});

test('marks fit into a trailer; what does not is counted', () => {
  expect(encodeMarks({ warnings: [] })).toBeUndefined();
  const marked = { warnings: ['one'], missing: [{ node: 'a', reason: 'late' }] };
  expect(decodeMarks(Buffer.from(encodeMarks(marked)!, 'base64'))).toEqual(marked);
  const many = encodeMarks({ warnings: Array.from({ length: 1_000 }, (_, i) => `${i} ${'x'.repeat(200)}`) })!;
  expect(many.length).toBeLessThan(40_000);
  expect(decodeMarks(Buffer.from(many, 'base64')).warnings.at(-1)).toMatch(/^\d+ more warnings$/);
  expect(decodeMarks(undefined)).toEqual({ warnings: [] });
});
