// What an insert node has put into the log is acknowledged, so a storage node stores all of it, whatever its own limits and its clock
// say; what another program put there has the limits of a new request.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/base/logger.ts';
import { systemClock } from '../../src/base/clock.ts';
import { limits } from '../../src/base/limits.ts';
import { LogWriter } from '../../src/cluster/log-writer.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { LogConsumer } from '../../src/ingest-log/log-consumer.ts';
import { LocalLog } from '../../src/ingest-log/local-log.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import type { WriteResult } from '../../src/trace/store.ts';
import { NOON_NS, requestOf, span } from '../block/scanned.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { storedSpans } from '../storage/stored-spans.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { attribute } from '../support/rich-trace.ts';
import { spanSet } from '../support/span-set.ts';

const HOUR_NS = 3_600_000_000_000n;
const tenant = DEFAULT_TENANT;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

/** A log of one partition, an insert node before it and a storage node behind it, whose limits are strict. */
class Path extends TemporaryFolder implements AsyncDisposable {
  readonly log = new LocalLog({ path: join(this.path, 'log'), disk: nodeDisk, clock: systemClock, partitions: 1 });
  readonly storage = openStore(join(this.path, 'store'), {
    spanAttributesMax: 2,
    spanBytesMax: 100_000,
    backfillMaxMs: 60_000,
    futureRetentionMs: 0,
    clock: new FakeClock(Number(NOON_NS / 1_000_000n)),
  });
  readonly writer = new LogWriter({
    log: this.log,
    guard: { refusal: undefined },
    acceptedSpans: () => ({
      startMinNs: 0n,
      startMaxNs: 2n ** 63n,
      spanAttributesMax: limits.attributesPerSpanMost,
      spanBytesMax: limits.spanBytesMost,
    }),
    timeoutMs: 10_000,
  });

  /** The rejected spans of what the log holds, and the offsets of the messages that were put aside. */
  async consume(): Promise<{ readonly rejected: WriteResult['rejected']; readonly aside: readonly bigint[] }> {
    const rejected = new Map<string, number>() as Map<never, number>;
    const aside: bigint[] = [];
    const consumer = await LogConsumer.open({
      log: this.log,
      store: {
        consume: async (...args) => await this.storage.consume(...args),
        consumed: async () => this.storage.consumed(),
      },
      partitions: [0],
      logger: createLogger({ write: () => undefined }),
      setAside: (_partition, { offset }) => void aside.push(offset),
      onStored: (result) => {
        for (const [reason, count] of result.rejected) rejected.set(reason as never, count);
      },
    });
    const last = await this.log.last(0);
    expect(await consumer.reached(new Map([[0, last]]), 30_000)).toEqual(new Map());
    await consumer.close();
    return { rejected, aside };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    await this.storage.close();
    this[Symbol.dispose]();
  }
}

/** Beyond each of the limits of the storage node. */
const strange = (): OtlpRequest =>
  requestOf([
    span(1, { attributes: Array.from({ length: 1_500 }, (_, n) => attribute(`k${n}`, 'v')) }),
    span(2, { attributes: [attribute('k', 'x'.repeat(200_000))] }),
    span(3, { startTimeUnixNano: NOON_NS - 3n * HOUR_NS, endTimeUnixNano: NOON_NS }),
    span(4, { startTimeUnixNano: NOON_NS + 3n * HOUR_NS, endTimeUnixNano: NOON_NS + 4n * HOUR_NS }),
  ]);

test('a storage node stores what an insert node acknowledged, beyond its own limits and with a clock that is behind', async () => {
  await using path = new Path();
  const body = encodeRequest(strange());
  expect(await path.writer.write({ tenant }, body.slice())).toMatchObject({ stored: 4 });
  expect(await path.consume()).toEqual({ rejected: new Map(), aside: [] });
  expect(storedSpans(path.storage, nodeDisk, tenant)).toEqual(spanSet([body]));
});

test('requests that are joined on the way may have together what no request of that size may', async () => {
  await using path = new Path();
  // In memory an event without content takes many times its bytes, and a request may take four times its own and 1 MiB.
  const events = Array.from({ length: 30_000 }, () => ({}));
  const bodies = upTo(8).map((n) => encodeRequest(requestOf([span(n, { trace: n, events })])));
  const results = await Promise.all(bodies.map((body) => path.writer.write({ tenant }, body.slice())));
  expect(results.map(({ stored }) => stored)).toEqual(bodies.map(() => 1));
  expect(await path.log.last(0)).toBe(1n);
  expect(await path.consume()).toEqual({ rejected: new Map(), aside: [] });
  expect((await path.storage.stats()).rowsStored).toBe(8);
});

test('what another program wrote has the limits of the storage node', async () => {
  await using path = new Path();
  await path.log.append(0, encodeRequest(strange()), 'of a Collector');
  const rejected = new Map([
    ['too_many_attributes', 1],
    ['too_large', 1],
    ['too_small_timestamp', 1],
    ['too_big_timestamp', 1],
  ]);
  expect(await path.consume()).toEqual({ rejected, aside: [] });
});
