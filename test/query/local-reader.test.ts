// The port over real query threads: answers cross them whole, errors with their code, and every view is released.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../src/base/errors.ts';
import { createLogger } from '../../src/base/logger.ts';
import type { DamagedPlace } from '../../src/quarantine/quarantine.ts';
import type { Listed, Operation } from '../../src/trace/store.ts';
import type { ViewFilter } from '../../src/partition/view.ts';
import { LocalReader, type LocalReaderOptions, type RunQuery, type ViewSource } from '../../src/query/local-reader.ts';
import { deadlineAfter } from '../../src/trace/call-context.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { decodeTraces, spansOf } from '../support/otlp-proto.ts';
import { ANY_TRACE, MadeStore } from './made-store.ts';

/** Snapshots of a made store, counted. */
class CountedSource implements ViewSource {
  readonly store = new MadeStore();
  readonly filters: ViewFilter[] = [];
  readonly held = new Set<number>();
  /** What was reported, with the views held at that moment. */
  readonly reported: { places: readonly DamagedPlace[]; held: number }[] = [];

  async listServices(): Promise<Listed<string>> {
    return { items: ['a', 'b'], warnings: ['c is lost'] };
  }

  async listOperations(): Promise<Listed<Operation>> {
    return { items: [1, 2, 2].map((kind, i) => ({ name: `op-${i}`, kind })), warnings: ['c is lost'] };
  }

  async takeView(_tenant: string, filter: ViewFilter): Promise<MadeStore['view'] & { id: number }> {
    this.filters.push(filter);
    const id = this.filters.length;
    this.held.add(id);
    return { ...this.store.view, id };
  }

  releaseView(id: number): void {
    this.held.delete(id);
  }

  async reportDamage(places: readonly DamagedPlace[]): Promise<void> {
    this.reported.push({ places, held: this.held.size });
  }
}

let source: CountedSource;
let reader: LocalReader;
const lines: string[] = [];
const open = (more: Partial<LocalReaderOptions> = {}): LocalReader =>
  new LocalReader({
    source,
    logger: createLogger({ write: (line) => lines.push(line) }),
    workers: 1,
    concurrentMax: 2,
    durationMaxMs: 60_000,
    ...more,
  });

beforeAll(() => {
  source = new CountedSource();
  source.store.addPart([requestOf([span(1), span(2, { trace: 2, startTimeUnixNano: NOON_NS + 5n })])]);
  source.store.addLog([requestOf([span(3, { parentSpanId: idOf(1, 8) })], 'cart')]);
  reader = open();
});

afterAll(async () => {
  expect(source.held.size, 'views still held').toBe(0);
  await reader.close();
  source.store[Symbol.dispose]();
});

test('a query whose thread hangs fails alone: the thread is replaced, and the next query is answered', async () => {
  const shared = source;
  source = new CountedSource();
  const [part = ''] = source.store.addPart([requestOf([span(1)])]);
  const [data, away] = [join(part, 'data'), join(part, 'data.away')];
  renameSync(data, away);
  // Whoever opens a pipe that nobody writes to waits in the system, and no thread can end it.
  execFileSync('mkfifo', [data]);
  const own = open({ hungMaxSeconds: 1 });
  const ask = (): Promise<unknown> => own.findTraces({ tenant: DEFAULT_TENANT }, [idOf(1, 16)]);
  await expect(ask()).rejects.toThrow('the thread hung for 1 s and was ended');
  closeSync(openSync(data, 'r+'));
  renameSync(away, data);
  expect(await ask()).toMatchObject({ traces: [{}], warnings: [] });
  expect(source.held.size).toBe(0);
  await own.close();
  source.store[Symbol.dispose]();
  source = shared;
});

test('names come from the source with their warnings, operations by kind when asked', async () => {
  const warnings = ['c is lost'];
  expect(await reader.listServices({ tenant: DEFAULT_TENANT })).toEqual({ items: ['a', 'b'], warnings });
  expect((await reader.listOperations({ tenant: DEFAULT_TENANT }, 'a')).items).toHaveLength(3);
  expect(await reader.listOperations({ tenant: DEFAULT_TENANT }, 'a', 2)).toEqual({
    items: [
      { name: 'op-1', kind: 2 },
      { name: 'op-2', kind: 2 },
    ],
    warnings,
  });
});

test('a search answers with whole traces, of every day', async () => {
  source.filters.length = 0;
  const { traces } = await reader.findNewest(
    { tenant: DEFAULT_TENANT },
    { ...ANY_TRACE, startMinNs: NOON_NS, service: 'cart' },
  );
  expect(traces.map(({ otlp }) => spansOf(decodeTraces(otlp)).map(({ spanId }) => spanId![7]))).toEqual([[1, 3]]);
  // One view, of every day.
  expect(source.filters).toEqual([{}]);
});

test('hits say where the latest matching span starts, and existence is told without reading', async () => {
  const { hits } = await reader.searchTraces({ tenant: DEFAULT_TENANT }, { ...ANY_TRACE, service: 'cart' });
  expect(hits).toEqual([{ traceId: idOf(1, 16), matchedStartNs: NOON_NS }]);
  const asked = [9, 2, 1].map((trace) => idOf(trace, 16));
  expect(await reader.hasTraces({ tenant: DEFAULT_TENANT }, asked)).toEqual({
    traceIds: [asked[1], asked[2]],
    warnings: [],
  });
  expect(await reader.hasTraces({ tenant: DEFAULT_TENANT }, [])).toEqual({ traceIds: [], warnings: [] });
});

test('a search in two views, because of an archived file or a loss, answers the same', async () => {
  const call = { tenant: DEFAULT_TENANT };
  const whole = await reader.findNewest(call, ANY_TRACE);
  const archived = open({ archive: { find: (_tenant, traceId) => (traceId[15] === 1 ? '/gone' : undefined) } });
  expect(await archived.findNewest(call, ANY_TRACE)).toEqual(whole);
  await archived.close();
  const late = { ...call, deadlineNs: deadlineAfter(0) };
  await expect(reader.findNewest(late, ANY_TRACE)).rejects.toMatchObject({ code: 'TIMEOUT' });
});

test('a trace asked for twice crosses the threads twice', async () => {
  const { traces } = await reader.findTraces(
    { tenant: DEFAULT_TENANT },
    [2, 1, 2].map((trace) => idOf(trace, 16)),
  );
  expect(traces.map(({ traceId, otlp }) => [traceId[15], otlp.length > 0])).toEqual([
    [2, true],
    [1, true],
    [2, true],
  ]);
});

test('nothing asked for, nothing read', async () => {
  source.filters.length = 0;
  expect(await reader.findTraces({ tenant: DEFAULT_TENANT }, [])).toEqual({ traces: [], warnings: [] });
  expect(source.filters).toEqual([]);
});

test('what an answer has beyond its limit is left out where it would make it too large', async () => {
  const whole = await reader.findNewest({ tenant: DEFAULT_TENANT }, ANY_TRACE);
  const bytes = whole.traces.map(({ otlp }) => otlp.length);
  expect(bytes).toHaveLength(2);
  const narrow = open({ answerBytesMax: Math.max(...bytes) });
  // All traces begin in this "unit", so that all follow the first.
  const page = { ...ANY_TRACE, limit: 1, lastUnit: { startNs: 0n, tracesMax: 10 } };
  expect((await reader.findNewest({ tenant: DEFAULT_TENANT }, page)).traces).toHaveLength(2);
  const { traces, warnings } = await narrow.findNewest({ tenant: DEFAULT_TENANT }, page);
  expect([traces.length, warnings]).toEqual([1, [expect.stringMatching(/^1 traces more begin in the last ms or us/)]]);
  await expect(narrow.findNewest({ tenant: DEFAULT_TENANT }, { ...page, limit: 2 })).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
  await narrow.close();
});

test('calls are counted over whole days', async () => {
  source.filters.length = 0;
  expect(await reader.listDependencies({ tenant: DEFAULT_TENANT }, NOON_NS, NOON_NS)).toEqual({
    links: [{ parent: 'shop', child: 'cart', callCount: 1, errorCount: 0 }],
    warnings: [],
  });
  const query = { services: ['cart'], kinds: [], startNs: NOON_NS, endNs: NOON_NS, isByOperation: true };
  expect(await reader.listCallSeries({ tenant: DEFAULT_TENANT }, query)).toMatchObject({
    series: [{ service: 'cart', operation: 'op' }],
    warnings: [],
  });
  const midnight = NOON_NS - 43_200_000_000_000n;
  const day = { startMinNs: midnight, startMaxNs: midnight + 86_400_000_000_000n - 1n };
  expect(source.filters).toEqual([day, day]);
});

test('what the counts of calls lack comes with them', async () => {
  using made = new MadeStore();
  const [path] = made.addPart([requestOf([span(1), span(2, { parentSpanId: idOf(1, 8) })])]);
  writeFileSync(join(path!, 'rollups'), 'no roll-ups');
  const damaged = open({
    source: {
      listServices: async () => ({ items: [], warnings: [] }),
      listOperations: async () => ({ items: [], warnings: [] }),
      takeView: async () => ({ ...made.view, id: 0 }),
      releaseView: () => undefined,
      reportDamage: async () => undefined,
    },
  });
  const warnings = [expect.stringContaining(join(path!, 'rollups'))];
  expect(await damaged.listDependencies({ tenant: DEFAULT_TENANT }, NOON_NS, NOON_NS)).toEqual({ links: [], warnings });
  const query = { services: ['shop'], kinds: [], startNs: NOON_NS, endNs: NOON_NS, isByOperation: false };
  expect(await damaged.listCallSeries({ tenant: DEFAULT_TENANT }, query)).toEqual({
    series: [expect.anything()],
    warnings,
  });
  await damaged.close();
});

describe('errors cross the threads with their code', () => {
  test('over its time', async () => {
    const hasty = open({ durationMaxMs: 1e-9 });
    await expect(hasty.findNewest({ tenant: DEFAULT_TENANT }, ANY_TRACE)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await hasty.close();
  });

  test('an archive that cannot be looked at; the view of the store is released', async () => {
    const find = (): never => {
      throw new StoreError('DISK', 'stat refused');
    };
    const refused = open({ archive: { find } });
    await expect(refused.findTraces({ tenant: DEFAULT_TENANT }, [idOf(1, 16)])).rejects.toMatchObject({ code: 'DISK' });
    expect(source.held.size).toBe(0);
    await refused.close();
  });

  test('cancelled before it began', async () => {
    const call = { tenant: DEFAULT_TENANT, signal: AbortSignal.abort() };
    const asked = [
      () => reader.findNewest(call, ANY_TRACE),
      () => reader.listDependencies(call, NOON_NS, NOON_NS),
      () => reader.listServices(call),
      () => reader.listOperations(call, 'a'),
    ];
    for (const ask of asked) await expect(ask()).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('damage is logged, named once and leaves the rest of the answer', async () => {
    const path = source.store.addPart([requestOf([span(9, { trace: 9 })])])[0]!;
    const data = join(path, 'data');
    const bytes = readFileSync(data);
    bytes[bytes.length - 10]! ^= 1;
    writeFileSync(data, bytes);
    lines.length = 0;
    const { traces, warnings } = await reader.findNewest({ tenant: DEFAULT_TENANT }, ANY_TRACE);
    // The search and the reading of its traces both met the block.
    expect([traces.length, warnings]).toEqual([2, [expect.stringContaining(data)]]);
    // Reported while the view is held, so that the file is there to be copied.
    expect(source.reported.length).toBeGreaterThan(0);
    expect(source.reported.map(({ held }) => held > 0)).not.toContain(false);
    expect(source.reported[0]!.places).toEqual([expect.objectContaining({ path: data, message: warnings[0] })]);
    // Every answer says it, the log once.
    await reader.findNewest({ tenant: DEFAULT_TENANT }, ANY_TRACE);
    expect(lines.filter((line) => line.includes(data))).toHaveLength(1);
  });
});

test('many at once wait for their turn and all are answered', async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, () => reader.findTraces({ tenant: DEFAULT_TENANT }, [idOf(1, 16)])),
  );
  expect(all.map(({ traces }) => traces.length)).toEqual(Array.from({ length: 20 }, () => 1));
});

test('an explanation runs the search and reads no trace', async () => {
  source.filters.length = 0;
  const { fates, bytes, waitedMs, tookMs, ...rest } = await reader.explainSearch(
    { tenant: DEFAULT_TENANT },
    {
      ...ANY_TRACE,
      startMinNs: NOON_NS,
      service: 'cart',
    },
  );
  expect(rest).toMatchObject({ partitions: 1, logBlocks: 1, traces: 1 });
  expect([fates.operation, fates.matched]).toEqual([rest.blocks - 1, 1]);
  expect([bytes > 0, waitedMs >= 0, tookMs > 0, source.filters.length]).toEqual([true, true, true, 1]);
});

test('every query is told of: kind, bytes and how it ended', async () => {
  const seen: RunQuery[] = [];
  const watched = open({ observe: (query) => seen.push(query), bytesMax: 1 });
  await expect(watched.findTraces({ tenant: DEFAULT_TENANT }, [idOf(1, 16)])).rejects.toMatchObject({
    code: 'TIMEOUT',
  });
  await watched.findTraces({ tenant: DEFAULT_TENANT }, [idOf(77, 16)]);
  await watched.close();
  expect(seen.map(({ kind, outcome, bytes }) => [kind, outcome, bytes > 0])).toEqual([
    ['find', 'TIMEOUT', true],
    ['find', 'ok', true],
  ]);
  expect(seen.every(({ seconds }) => seconds > 0)).toBe(true);
});

test('a tenant may have a lower bound of bytes than the node', async () => {
  const bounded = open({ bytesMax: 1e9, bytesMaxOf: (tenant) => (tenant === DEFAULT_TENANT ? 1 : Infinity) });
  await expect(bounded.findTraces({ tenant: DEFAULT_TENANT }, [idOf(1, 16)])).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringContaining('queryBytes in -tenants.config'),
  });
  await bounded.close();
});

test('a slow query is logged with its question and tenant, without the values of tags', async () => {
  const watched = open({ slowMs: 1e-9 });
  lines.length = 0;
  const tags = [{ key: 'user.id', value: 'secret' }];
  await watched.findNewest({ tenant: DEFAULT_TENANT }, { ...ANY_TRACE, service: 'shop', operation: 'buy', tags });
  await watched.close();
  const [line] = lines.filter((text) => text.includes('a slow query'));
  expect(line).toContain('a slow query tenant=0:0 query=search service=shop operation=buy conditions="" tags=user.id ');
  expect(line).toContain('outcome=ok');
  expect(line).toContain('blocks=operation:');
  expect(line).not.toContain('secret');
  await reader.findNewest({ tenant: DEFAULT_TENANT }, ANY_TRACE);
  expect(lines.filter((text) => text.includes('a slow query'))).toHaveLength(1);
});

test('digests come in pages of one view, which is released at the end, also of a caller that stops early', async () => {
  const day = Number(NOON_NS / 86_400_000_000_000n);
  let spans = 0;
  for await (const page of reader.digestSpans({ tenant: DEFAULT_TENANT }, day)) {
    spans += page.spans;
    expect(source.held.size).toBe(1);
  }
  expect([spans > 0, source.held.size]).toEqual([true, 0]);
  for await (const page of reader.digestSpans({ tenant: DEFAULT_TENANT }, day)) {
    expect(page.records.length).toBeGreaterThan(0);
    break;
  }
  expect(source.held.size).toBe(0);
});
