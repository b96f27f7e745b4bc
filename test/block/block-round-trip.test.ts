// The format's first promise: what a block is encoded from is what it decodes to, field by field, in every profile.
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readFrames } from '../../native-bench/workload/frames.ts';
import { profiles, requests, type ProfileName } from '../../native-bench/workload/requests.ts';
import { appendBlock } from '../../src/block/decode-block.ts';
import { encodeBlock, type BlockProfile } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { rowsByDay, SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { spanSet } from '../support/span-set.ts';

const ALL_TIME = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };
const BLOCK_KINDS: BlockProfile[] = ['log', 'merged'];
const corpus = new URL('../../../shared/corpora/otel-demo.otlpframes', import.meta.url).pathname;

/** Scans, encodes a block per day, decodes, encodes and decodes once more as a merge would, and writes OTLP. */
function roundTrip(bodies: readonly Uint8Array[], profile: BlockProfile): Uint8Array[] {
  const batch = new SpanBatch();
  for (const body of bodies) scanRequest(batch, body, ALL_TIME);
  const out = recode(recode(batch, profile), 'merged');
  return [
    writeTraces(
      out,
      Uint32Array.from({ length: out.rowCount }, (_, row) => row),
    ),
  ];
}

function recode(batch: SpanBatch, profile: BlockProfile): SpanBatch {
  const out = new SpanBatch();
  for (const [day, rows] of rowsByDay(batch)) {
    const grouped = regroupByTrace(batch, rows);
    appendBlock(out, encodeBlock(batch, grouped.rows, { tenant: DEFAULT_TENANT, day, profile }));
  }
  return out;
}

const unique = (spans: string[]): string[] => [...new Set(spans)].sort();

describe.each(BLOCK_KINDS)('a %s block', (profile) => {
  test.skipIf(!existsSync(corpus))('gives back every span of the otel-demo corpus', () => {
    const bodies = [...readFrames(corpus)].map((frame) => frame.body);
    expect(unique(spanSet(roundTrip(bodies, profile)))).toEqual(unique(spanSet(bodies)));
  });

  test.each(Object.keys(profiles) as ProfileName[])('gives back every span of the %s workload', (name) => {
    const spans = name === 'long' ? 10_000 : 3000;
    const bodies = [
      ...requests({
        profile: name,
        spans,
        batch: 200,
        seed: 7,
        startNs: 1_790_000_000_000_000_000n,
        seconds: 60,
        instances: 2,
      }),
    ].map((frame) => frame.body);
    expect(unique(spanSet(roundTrip(bodies, profile)))).toEqual(unique(spanSet(bodies)));
  });

  test('gives back random spans of every value type', () => {
    const random = createRandom(printedSeed(`block ${profile}`));
    for (let round = 0; round < 40; round++) {
      const bodies = Array.from({ length: 3 }, () => encodeRequest(randomRequest(random, 1_790_000_000_000_000_000n)));
      expect(unique(spanSet(roundTrip(bodies, profile)))).toEqual(unique(spanSet(bodies)));
    }
  });
});
