// A block's filter and outline never deny what a search for one of its spans asks: whatever a span holds, asked for as
// clients ask (key and printed value), passes; what it does not hold mostly does not.
import { describe, expect, test } from 'vitest';
import { encodeBlock } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { TermSet } from '../../src/block/terms.ts';
import { buildFuseFilter, FuseFilter } from '../../src/codec/fuse-filter.ts';
import { decodeOutlines, OutlinesBuilder, type PartOutlines } from '../../src/part/outlines.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { readAttributes, textOf } from '../../src/trace/attributes.ts';
import { SpanMatcher } from '../../src/query/match-block.ts';
import { BlockPruner } from '../../src/query/prune-blocks.ts';
import { compileTag } from '../../src/query/tag-condition.ts';
import { rowsByDay, SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import type { TagCondition } from '../../src/trace/trace-query.ts';
import { encodeRequest, spansOf, type OtlpKeyValue, type OtlpRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { blockMatches } from './block-matches.ts';

const NOW_NS = 1_790_000_000_000_000_000n;

interface KnownBlock {
  readonly block: Uint8Array;
  readonly filter: FuseFilter;
  readonly outlines: PartOutlines;
}

/** A block per day of a request. */
function blocksOf(request: OtlpRequest): KnownBlock[] {
  const batch = new SpanBatch();
  scanRequest(batch, encodeRequest(request), { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n });
  return [...rowsByDay(batch)].map(([day, rows]) => {
    const terms = new TermSet();
    const grouped = regroupByTrace(batch, rows).rows;
    const block = encodeBlock(batch, grouped, { tenant: DEFAULT_TENANT, day, profile: 'merged', terms });
    const outlines = new OutlinesBuilder();
    outlines.addBlock(terms.outline);
    return { block, filter: new FuseFilter(buildFuseFilter(terms)), outlines: decodeOutlines(outlines.encode()) };
  });
}

/** Every attribute as a client sees it: key and printed value. */
function printed(attributes: readonly OtlpKeyValue[] = []): TagCondition[] {
  const bytes = encodeRequest({ resourceSpans: [{ resource: { attributes: [...attributes] } }] });
  // ResourceSpans is field 1, its resource field 1 again: step over the two tags and lengths.
  const inner = new BytesIn(bytes).message().message();
  return readAttributes(inner.bytes, inner.start, inner.end, 1).map((attribute) => ({
    key: attribute.key,
    value: textOf(inner.bytes, attribute),
  }));
}

/** The range of a first length-delimited field. */
class BytesIn {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  message(): BytesIn {
    let at = this.start + 1;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[at++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    return new BytesIn(this.bytes, at, at + size);
  }
}

const anyTime = { startMin: -Infinity, startMax: Infinity, durationMin: -Infinity, durationMax: Infinity };

function isHeld(
  blocks: readonly KnownBlock[],
  tag: TagCondition,
  service?: string,
): { held: boolean; admitted: boolean } {
  const conditions = { service, operation: undefined };
  const matcher = new SpanMatcher({ ...conditions, tags: [compileTag(tag)] });
  const pruner = new BlockPruner(conditions, matcher.tags);
  let held = false;
  let admitted = false;
  for (const { block, filter, outlines } of blocks) {
    const isHere = blockMatches(matcher, block, anyTime).length > 0;
    const mayBeHere = pruner.reject({ outlines, block: 0 }, () => filter) === undefined;
    if (isHere) expect(mayBeHere, `${tag.key}=${tag.value}`).toBe(true);
    held ||= isHere;
    admitted ||= mayBeHere;
  }
  return { held, admitted };
}

describe('the filter of a block', () => {
  test('admits every attribute of every span, as it is printed', { timeout: 30_000 }, () => {
    const random = createRandom(printedSeed('query terms'));
    let asked = 0;
    for (let round = 0; round < 60; round++) {
      const request = randomRequest(random, NOW_NS);
      const blocks = blocksOf(request);
      const services = new Set(blocks.flatMap(({ outlines }) => outlines.operations.map(({ service }) => service)));
      for (const span of spansOf(request)) {
        const lists = [
          span.attributes,
          ...(span.events ?? []).map((e) => e.attributes),
          ...(span.links ?? []).map((l) => l.attributes),
        ];
        const tags = lists.flatMap((list) => printed(list));
        for (const tag of tags.filter(({ key }) => !key.startsWith('invalid-tag-key'))) {
          expect(isHeld(blocks, tag).held, `${tag.key}=${tag.value}`).toBe(true);
          const ofServices = [...services].map((service) => isHeld(blocks, tag, service).held);
          expect(ofServices, `${tag.key}=${tag.value}`).toContain(true);
          asked++;
        }
      }
    }
    expect(asked).toBeGreaterThan(500);
  });

  test.each<TagCondition>([
    { key: 'span.kind', value: 'server' },
    { key: 'error', value: 'true' },
    { key: 'error', value: 'false' },
    { key: 'otel.status_code', value: 'ERROR' },
    { key: 'otel.status_description', value: 'no' },
    { key: 'w3c.tracestate', value: 'a=b' },
    { key: 'otel.scope.name', value: 'lib' },
    { key: 'scope.version', value: '1.2' },
    { key: 'resource.host.name', value: 'h1' },
    { key: 'resource_attr:pid', value: '77' },
    { key: 'span_attr:n', value: '-5' },
    { key: 'event', value: 'boom' },
    { key: 'zero', value: '0' },
    { key: 'nan', value: 'NaN' },
    { key: 'inf', value: '+Inf' },
    { key: 'list', value: '[1,"x"]' },
    { key: 'none', value: '' },
  ])('admits $key=$value', (tag) => {
    const request: OtlpRequest = {
      resourceSpans: [
        {
          resource: {
            attributes: [
              { key: 'service.name', value: { stringValue: 's' } },
              { key: 'host.name', value: { stringValue: 'h1' } },
              { key: 'pid', value: { intValue: 77n } },
            ],
          },
          scopeSpans: [
            {
              scope: { name: 'lib', version: '1.2' },
              spans: [
                {
                  traceId: new Uint8Array(16).fill(1),
                  spanId: new Uint8Array(8).fill(1),
                  kind: 2,
                  startTimeUnixNano: NOW_NS,
                  endTimeUnixNano: NOW_NS + 1n,
                  traceState: 'a=b',
                  status: { code: 2, message: 'no' },
                  events: [{ name: 'boom', timeUnixNano: NOW_NS }],
                  attributes: [
                    { key: 'n', value: { intValue: -5n } },
                    { key: 'zero', value: { doubleValue: -0 } },
                    { key: 'nan', value: { doubleValue: NaN } },
                    { key: 'inf', value: { doubleValue: Infinity } },
                    { key: 'list', value: { arrayValue: { values: [{ intValue: 1n }, { stringValue: 'x' }] } } },
                    { key: 'none' },
                  ],
                },
                { traceId: new Uint8Array(16).fill(2), spanId: new Uint8Array(8).fill(2), startTimeUnixNano: NOW_NS },
              ],
            },
          ],
        },
      ],
    };
    expect(isHeld(blocksOf(request), tag)).toEqual({ held: true, admitted: true });
  });

  test('denies nearly everything else', () => {
    const blocks = blocksOf(randomRequest(createRandom(5), NOW_NS));
    let admitted = 0;
    for (let i = 0; i < 2000; i++) if (isHeld(blocks, { key: 'order.id', value: `no-such-${i}` }).admitted) admitted++;
    expect(admitted).toBeLessThan(40);
  });
});
