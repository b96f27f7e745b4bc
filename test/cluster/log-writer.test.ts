// What is acknowledged is in the log, once, in the partition of its trace; what the log does not take is not.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { StoreError } from '../../src/base/errors.ts';
import { LogWriter, type LogWriterOptions } from '../../src/cluster/log-writer.ts';
import { partitionOfTrace } from '../../src/cluster/placement.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { decodePayload } from '../../src/ingest-log/log-payload.ts';
import { LocalLog } from '../../src/ingest-log/local-log.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { decodeRequest, encodeRequest, spansOf } from '../support/otlp-proto.ts';
import { attribute } from '../support/rich-trace.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { NOON_NS, requestOf, span } from '../block/scanned.ts';

const PARTITIONS = 4;
const call = { tenant: DEFAULT_TENANT };
const ANY = { startMinNs: 0n, startMaxNs: 2n ** 63n };

class TestLog extends TemporaryFolder implements AsyncDisposable {
  readonly log = new LocalLog({
    path: join(this.path, 'log'),
    disk: nodeDisk,
    clock: systemClock,
    partitions: PARTITIONS,
  });

  writer(more: Partial<LogWriterOptions> = {}): LogWriter {
    const options = {
      log: this.log,
      guard: { refusal: undefined },
      acceptedSpans: () => ANY,
      timeoutMs: 5_000,
      retryMs: 2,
    };
    return new LogWriter({ ...options, ...more });
  }

  /** The spans of each partition, as tenant trace span, and the messages they are in. */
  async content(): Promise<{ readonly spans: string[][]; readonly messages: number }> {
    let messages = 0;
    const spans = await Promise.all(
      Array.from({ length: PARTITIONS }, async (_, partition) => {
        const own: string[] = [];
        const last = await this.log.last(partition);
        if (last === 0n) return own;
        for await (const { offset, bytes } of this.log.read(partition, 1n)) {
          messages++;
          for (const { tenant, body } of decodePayload(bytes))
            for (const one of spansOf(decodeRequest(body))) {
              expect(partitionOfTrace(one.traceId!, 0, PARTITIONS)).toBe(partition);
              own.push(
                `${tenant} ${Buffer.from(one.traceId!).toString('hex')} ${Buffer.from(one.spanId!).toString('hex')}`,
              );
            }
          if (offset === last) break;
        }
        return own;
      }),
    );
    return { spans, messages };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    this[Symbol.dispose]();
  }
}

const bodyOf = (traces: readonly number[], id = 1): Uint8Array =>
  encodeRequest(requestOf(traces.map((trace) => span(id, { trace }))));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

test('a request is cut by trace, each partition gets its own, each span once', async () => {
  await using made = new TestLog();
  const writer = made.writer();
  expect(await writer.write(call, bodyOf(upTo(50)))).toMatchObject({ stored: 50 });
  expect(await writer.write({ tenant: parseTenant('3', '4') }, bodyOf([7]))).toMatchObject({ stored: 1 });
  const { spans } = await made.content();
  expect(spans.every((own) => own.length > 0)).toBe(true);
  expect(new Set(spans.flat()).size).toBe(51);
  expect(spans.flat()).toHaveLength(51);
  expect(writer.waitingBytes).toBe(0);
});

test('requests that come together share messages', async () => {
  await using made = new TestLog();
  const writer = made.writer();
  await Promise.all(upTo(60).map(async (n) => await writer.write(call, bodyOf(upTo(12), n))));
  const { spans, messages } = await made.content();
  expect(spans.flat()).toHaveLength(720);
  expect(messages).toBeLessThan(60);
  const { appends, ...counted } = writer.counters;
  expect(counted).toMatchObject({ messages, refused: 0, repeated: 0 });
  expect([appends.counts.length, appends.counts.reduce((sum, count) => sum + count)]).toEqual([
    appends.bounds.length + 1,
    messages,
  ]);
  expect(appends.sum).toBeGreaterThan(0);
});

test('a malformed request puts nothing there; what is rejected is named and goes nowhere', async () => {
  await using made = new TestLog();
  const writer = made.writer({ acceptedSpans: () => ({ startMinNs: NOON_NS - 10n, startMaxNs: NOON_NS + 10n }) });
  const cut = bodyOf([1, 2]).slice(0, -1);
  await expect(writer.write(call, cut)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  const bad = requestOf([
    { ...span(1), traceId: Uint8Array.of(1) },
    { ...span(2, { trace: 2 }), startTimeUnixNano: 1n },
  ]);
  const result = await writer.write(call, encodeRequest(bad));
  expect(result.stored).toBe(0);
  expect([...result.rejected.keys()].toSorted()).toEqual(['invalid_trace_id', 'too_small_timestamp']);
  expect((await made.content()).messages).toBe(0);
  expect(
    (await writer.write(call, encodeRequest(requestOf([{ ...span(1), traceId: Uint8Array.of(1) }, span(2)])))).stored,
  ).toBe(1);
  expect((await made.content()).spans.flat()).toHaveLength(1);
});

test('spans beyond the limits of this node are named and go nowhere: a storage node could tell nobody', async () => {
  await using made = new TestLog();
  const writer = made.writer({ acceptedSpans: () => ({ ...ANY, spanAttributesMax: 2, spanBytesMax: 1_000 }) });
  const many = ['a', 'b', 'c'].map((key) => attribute(key, 'v'));
  const spans = [
    span(1, { attributes: many }),
    span(2, { attributes: [attribute('k', 'x'.repeat(1_000))] }),
    span(3, { attributes: many.slice(0, 2) }),
  ];
  expect(await writer.write(call, encodeRequest(requestOf(spans)))).toMatchObject({
    stored: 1,
    rejected: new Map([
      ['too_many_attributes', 1],
      ['too_large', 1],
    ]),
  });
  expect((await made.content()).spans.flat()).toHaveLength(1);
});

test('late spans of a tenant that keeps its own for a shorter time are named and go nowhere, those beside them go', async () => {
  await using made = new TestLog();
  const acceptedSpans = (retentionMs = 60_000) => ({
    startMinNs: NOON_NS - BigInt(retentionMs) * 1_000_000n,
    startMaxNs: NOON_NS + 10n,
  });
  const writer = made.writer({ acceptedSpans });
  const late = { startTimeUnixNano: NOON_NS - 20_000_000_000n };
  const mixed = (): Uint8Array =>
    encodeRequest(requestOf([span(1, late), span(2), span(3, { ...late, trace: 2 }), span(4, { trace: 3 })]));
  expect(await writer.write(call, mixed())).toMatchObject({ stored: 4 });
  expect(await writer.write({ tenant: parseTenant('7', '0'), retentionMs: 10_000 }, mixed())).toMatchObject({
    stored: 2,
    rejected: new Map([['too_small_timestamp', 2]]),
  });
  const { spans } = await made.content();
  expect(spans.flat().filter((one) => one.startsWith('7:0 '))).toHaveLength(2);
  expect(spans.flat()).toHaveLength(6);
});

test('what does not fit into one message goes in several; a span that fits into none is named', async () => {
  await using made = new TestLog();
  const small = { partitions: PARTITIONS, messageBytesMax: 4_000, append: made.log.append.bind(made.log) };
  const sizes: number[] = [];
  const append = async (partition: number, bytes: Uint8Array, id: string): Promise<bigint> => {
    sizes.push(bytes.length);
    return await small.append(partition, bytes, id);
  };
  const writer = made.writer({ log: { ...small, append } });
  const spans = upTo(200).map((n) => ({ ...span(n, { trace: 1 }), attributes: [attribute('k', `${n}`.repeat(40))] }));
  expect((await writer.write(call, encodeRequest(requestOf(spans)))).stored).toBe(200);
  expect((await made.content()).spans.flat()).toHaveLength(200);
  expect(sizes.length).toBeGreaterThan(4);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4_000);
  const huge = { ...span(1, { trace: 2 }), attributes: [attribute('k', 'x'.repeat(2_500))] };
  const result = await writer.write(call, encodeRequest(requestOf([huge, span(2, { trace: 2 })])));
  expect([result.stored, result.rejected]).toEqual([1, new Map([['too_large', 1]])]);
  const request = requestOf([span(1, { trace: 3 })], 'x'.repeat(5_000));
  await expect(writer.write(call, encodeRequest(request))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

test('an append without an answer is made again under its id, so that nothing is doubled', async () => {
  await using made = new TestLog();
  let calls = 0;
  const append = async (partition: number, bytes: Uint8Array, id: string): Promise<bigint> => {
    const offset = await made.log.append(partition, bytes, id);
    if (++calls % 3 !== 0) throw new StoreError('UNAVAILABLE', 'the answer was lost');
    return offset;
  };
  const writer = made.writer({ log: { partitions: PARTITIONS, messageBytesMax: 1 << 20, append } });
  expect(await writer.write(call, bodyOf(upTo(30)))).toMatchObject({ stored: 30 });
  expect((await made.content()).spans.flat()).toHaveLength(30);
  expect(writer.counters.repeated).toBe(8);
});

test('while the log is away requests fail in time, hold nothing afterwards, and later ones are taken', async () => {
  await using made = new TestLog();
  let isAway = true;
  const append = async (partition: number, bytes: Uint8Array, id: string): Promise<bigint> => {
    if (isAway) throw new StoreError('UNAVAILABLE', 'no server answers');
    return await made.log.append(partition, bytes, id);
  };
  const writer = made.writer({ log: { partitions: PARTITIONS, messageBytesMax: 1 << 20, append }, timeoutMs: 30 });
  const results = await Promise.allSettled(upTo(20).map(async (n) => await writer.write(call, bodyOf(upTo(9), n))));
  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
  expect(writer.waitingBytes).toBe(0);
  expect(writer.counters.refused).toBeGreaterThan(0);
  isAway = false;
  expect(await writer.write(call, bodyOf([1]))).toMatchObject({ stored: 1 });
});

test('a log that is refused gets nothing', async () => {
  await using made = new TestLog();
  const writer = made.writer({ guard: { refusal: '-ingestLog: one replica' } });
  await expect(writer.write(call, bodyOf([1]))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: '-ingestLog: one replica',
  });
  expect((await made.content()).messages).toBe(0);
});
