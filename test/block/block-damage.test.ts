// A damaged byte in a block gives CORRUPTION (or nothing at all, where it hit padding), never another error, never wrong spans.
import { expect, test } from 'vitest';
import { requests } from '../../native-bench/workload/requests.ts';
import { StoreError } from '../../src/base/errors.ts';
import { appendBlock } from '../../src/block/decode-block.ts';
import { encodeBlock, type BlockProfile } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

function smallBlock(profile: BlockProfile): Uint8Array {
  const batch = new SpanBatch();
  for (const { body } of requests({
    profile: 'shop',
    spans: 60,
    batch: 100,
    seed: 3,
    startNs: 1_790_000_000_000_000_000n,
    seconds: 1,
    instances: 1,
  })) {
    scanRequest(batch, body, { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n });
  }
  return encodeBlock(batch, regroupByTrace(batch).rows, { tenant: DEFAULT_TENANT, day: batch.day[0]!, profile });
}

function decoded(bytes: Uint8Array): Uint8Array {
  const batch = new SpanBatch();
  appendBlock(batch, bytes);
  return writeTraces(
    batch,
    Uint32Array.from({ length: batch.rowCount }, (_, row) => row),
  );
}

test.each<BlockProfile>(['log', 'merged'])('every byte of a %s block: a flipped bit is found', (profile) => {
  const block = smallBlock(profile);
  const whole = decoded(block);
  const random = createRandom(printedSeed(`damage ${profile}`));
  let found = 0;
  for (let at = 0; at < block.length; at++) {
    const damaged = block.slice();
    damaged[at]! ^= 1 << Math.floor(random() * 8);
    try {
      expect(decoded(damaged)).toEqual(whole);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      expect(['CORRUPTION', 'FORMAT_TOO_NEW']).toContain(error.code);
      found++;
    }
  }
  expect(found).toBe(block.length);
});

test('cut at any length, a block is CORRUPTION and leaves the batch as it was', () => {
  const block = smallBlock('merged');
  const batch = new SpanBatch();
  appendBlock(batch, block);
  const { rowCount } = batch;
  for (let length = 0; length < block.length; length += 7) {
    expect(() => appendBlock(batch, block.subarray(0, length))).toThrow(StoreError);
    expect(batch.rowCount).toBe(rowCount);
  }
});
