// What is traced and what is not, on the SDK itself, with a sink that keeps what is exported. test/system/self-tracing.test.ts asks a node.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openSelfTraces, SELF_TRACES_HEADER, type SelfTraces } from '../../../src/api/edge/self-traces.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { StoreError } from '../../../src/base/errors.ts';
import { parseConfig } from '../../../src/config.ts';
import { Intake } from '../../../src/api/edge/intake.ts';
import { spansOf } from '../../support/otlp-proto.ts';
import { RecordingStore } from '../../support/recording-store.ts';
import { testMetrics } from '../../support/test-metrics.ts';

class Traced {
  readonly store = new RecordingStore();
  readonly lines: string[] = [];
  readonly metrics = testMetrics({ admin: undefined, storageDataPath: '', shownFlags: [] });
  traces: SelfTraces | undefined;

  async open(flags: readonly string[]): Promise<SelfTraces | undefined> {
    const config = parseConfig(flags, {});
    const logger = createLogger({ write: (line) => void this.lines.push(line) });
    const intake = new Intake({ ...config, writer: this.store, metrics: this.metrics, logger });
    const parts = { config, intake, metrics: this.metrics, logger, version: '1.2.3', instance: 'one' };
    this.traces = await openSelfTraces(parts);
    return this.traces;
  }

  /** Ends, and returns what was exported. */
  async names(): Promise<string[]> {
    await this.traces?.close();
    return this.store.writes.flatMap(({ request: sent }) => spansOf(sent).map(({ name }) => String(name)));
  }
}

const request = (name: string, headers = {}, isIngest = false) => ({ name, headers, isIngest, attributes: {} });
const work = (kind: 'flush' | 'merge') => ({ kind, partition: '20261120', startMs: 1, endMs: 2, rows: 3 });

test('off, there is nothing', async () => {
  expect(await new Traced().open([])).toBeUndefined();
});

test('exports of a node are not traced, and flushes and merges only as often as others have sent spans', async () => {
  const traced = new Traced();
  const traces = (await traced.open(['-selfTracing.url=self', '-selfTracing.ratio=1']))!;
  expect(traces.begin(request('own', { [SELF_TRACES_HEADER]: '1' }, true))).toBeUndefined();
  for (const kind of ['flush', 'merge'] as const) traces.worked(work(kind));
  traces.begin(request('read'))!.end(200);
  traces.worked(work('flush'));
  traces.begin(request('sent', {}, true))!.end(200);
  for (const kind of ['flush', 'flush', 'merge', 'merge'] as const) traces.worked(work(kind));
  traces.begin(request('sent', {}, true))!.end(503);
  traces.worked(work('flush'));
  expect((await traced.names()).toSorted()).toEqual(['flush', 'flush', 'merge', 'read', 'sent', 'sent']);
});

test('a login in the URL goes along as a header, and into no line of the log', async () => {
  const seen: (string | undefined)[] = [];
  const receiver = createServer((sent, answer) => {
    seen.push(sent.headers.authorization);
    sent.resume().once('end', () => answer.writeHead(seen.length === 1 ? 200 : 400).end());
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void receiver.close());
  const url = `http://me:hunter2@127.0.0.1:${(receiver.address() as AddressInfo).port}/v1/traces`;
  for (const name of ['taken', 'refused']) {
    const traced = new Traced();
    const traces = (await traced.open([`-selfTracing.url=${url}`, '-selfTracing.ratio=1']))!;
    traces.begin(request(name))!.end(200);
    await traced.names();
    expect(traced.lines.join('')).not.toContain('hunter2');
  }
  expect(seen).toEqual([1, 2].map(() => `Basic ${Buffer.from('me:hunter2').toString('base64')}`));
});

test('a ratio of 0 sends nothing', async () => {
  const traced = new Traced();
  const traces = (await traced.open(['-selfTracing.url=self', '-selfTracing.ratio=0']))!;
  traces.begin(request('sent', {}, true))!.end(200);
  traces.worked(work('flush'));
  expect(await traced.names()).toEqual([]);
});

test('what the store refuses is counted and told once', async () => {
  const traced = new Traced();
  const traces = (await traced.open(['-selfTracing.url=self', '-selfTracing.ratio=1']))!;
  traced.store.failures.push(new StoreError('READ_ONLY', 'full'));
  traces.begin(request('sent'))!.end(200);
  await traced.names();
  expect(traced.lines.join('')).toContain('traces of the node itself cannot be exported; these spans are lost');
  expect(await traced.metrics.render()).toContain('tracelith_self_spans_total{outcome="failed"} 1\n');
});
