// What a query may skip, and what damage does: one block less and a warning, never a failed query.
import { rmSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BlockReader } from '../../src/block/block-reader.ts';
import { BlockSource } from '../../src/query/block-source.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { idOf, requestOf, span } from '../block/scanned.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';
import { ANY_TRACE, MadeStore } from './made-store.ts';

const oneOf = (trace: number): ReturnType<typeof requestOf> => requestOf([span(trace, { trace })]);

/** Flips a byte of the file, counted from its end. */
function damage(path: string, fromEnd: number): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - fromEnd]! ^= 1;
  writeFileSync(path, bytes);
}

/** How many blocks are whole. */
function countRead(source: BlockSource): number {
  const isWhole = (block: BlockReader): boolean => {
    block.verify();
    return true;
  };
  return source.blocks().filter((candidate) => candidate.read(isWhole) === true).length;
}

test('every block of the tenant, of parts and logs, with the times its header tells', () => {
  using store = new MadeStore();
  store.addPart([oneOf(1), oneOf(2)]);
  store.addPart([oneOf(3)], parseTenant('1', '1'));
  store.addLog([oneOf(4)]);
  using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
  const blocks = source.blocks();
  const noon = 43_200_000_000_000;
  expect(blocks.map(({ day, startMin, startMax, durationMax }) => [day, startMin, startMax, durationMax])).toEqual([
    [20_777, noon, noon, 1e9],
    [20_777, noon, noon, 1e9],
    [20_777, noon, noon, Infinity],
  ]);
  expect([countRead(source), source.warnings()]).toEqual([3, []]);
  expect(blocks.map((block) => block.filter() !== undefined)).toEqual([true, true, false]);
});

test('of one day, without a look at the parts of another', () => {
  using store = new MadeStore();
  const ofDay = (trace: number, day: bigint): OtlpRequest =>
    requestOf([span(trace, { trace, startTimeUnixNano: day * 86_400_000_000_000n })]);
  store.addPart([ofDay(1, 20_776n)]);
  store.addPart([ofDay(2, 20_777n), ofDay(3, 20_777n)]);
  using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
  expect(source.blocks(20_777).map(({ day }) => day)).toEqual([20_777, 20_777]);
  expect(source.work.blocks).toBe(2);
  expect(source.blocks()).toHaveLength(3);
});

test('for a trace only the blocks of a part that may hold it, and every log block', () => {
  using store = new MadeStore();
  store.addPart([oneOf(1), oneOf(2), oneOf(3)]);
  store.addLog([oneOf(4)]);
  using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
  expect(source.blocksOfTraces([idOf(2, 16)])).toHaveLength(2);
  expect(source.blocksOfTraces([idOf(2, 16), idOf(1, 16), idOf(2, 16)])).toHaveLength(3);
  expect(source.blocksOfTraces([idOf(99, 16)])).toHaveLength(1);
});

describe('damage is a warning that names the place:', () => {
  test('a block of a part', () => {
    using store = new MadeStore();
    const [path] = store.addPart([oneOf(1), oneOf(2)]);
    damage(join(path!, 'data'), 10);
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    expect([countRead(source), source.warnings()]).toEqual([1, [expect.stringContaining(join(path!, 'data'))]]);
    expect(store.search({})).toEqual([1]);
    expect(store.run({ kind: 'find', traceIds: [idOf(1, 16), idOf(2, 16)] })).toMatchObject({
      traces: [{ traceId: idOf(1, 16) }],
      warnings: [expect.stringContaining('data')],
    });
  });

  test('a log block', () => {
    using store = new MadeStore();
    const [path] = store.addLog([oneOf(1), oneOf(2)]);
    damage(path!, 10);
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    expect([countRead(source), source.warnings()]).toEqual([1, [expect.stringContaining(path!)]]);
  });

  test('a whole part or log file gone', () => {
    using store = new MadeStore();
    const [part] = store.addPart([oneOf(1)]);
    const [log] = store.addLog([oneOf(2)]);
    store.addPart([oneOf(3)]);
    const { view } = store;
    for (const path of [part!, log!]) rmSync(path, { recursive: true });
    using source = new BlockSource(store.cache, view, DEFAULT_TENANT);
    expect([countRead(source), source.warnings().length]).toEqual([1, 3]);
    expect(source.blocksOfTraces([idOf(1, 16)])).toHaveLength(1);
  });

  test('a filter: its block is read instead', () => {
    using store = new MadeStore();
    const [path] = store.addPart([oneOf(1)]);
    damage(join(path!, 'filters'), 1);
    expect(store.search({ service: 'shop' })).toEqual([1]);
  });
});

describe('a file that was swapped with that of another part', () => {
  const windows = [0n, 2n ** 62n] as const;
  const ask = (store: MadeStore): { answers: unknown; warnings: number } => {
    const results = [
      store.run({ kind: 'search', query: ANY_TRACE }),
      store.run({ kind: 'find', traceIds: [1, 2, 3].map((trace) => idOf(trace, 16)) }),
      store.run({ kind: 'dependencies', startNs: windows[0], endNs: windows[1] }),
    ];
    return {
      answers: results.map(({ warnings: _w, damaged: _d, ...answer }) => answer),
      warnings: results.filter(({ warnings }) => warnings.length > 0).length,
    };
  };
  const calling = (trace: number): OtlpRequest => ({
    resourceSpans: [
      ...requestOf([span(1, { trace })], 'front').resourceSpans!,
      ...requestOf([span(2, { trace, parentSpanId: idOf(1, 8) })], `back-${trace}`).resourceSpans!,
    ],
  });

  test.each(['traces', 'filters', 'rollups', 'metadata', 'data'])('%s is not believed', (name) => {
    using store = new MadeStore();
    const [first] = store.addPart([calling(1)]);
    const [second] = store.addPart([calling(2), calling(3)]);
    const before = ask(store);
    expect([before.warnings, (before.answers as { dependencies?: unknown[] }[])[2]!.dependencies]).toEqual([
      0,
      [1, 2, 3].map((trace) => ({ parent: 'front', child: `back-${trace}`, callCount: 1, errorCount: 0 })),
    ]);
    store.cache.close();
    nodeDisk.rename(join(first!, name), join(first!, 'aside'));
    nodeDisk.rename(join(second!, name), join(first!, name));
    nodeDisk.rename(join(first!, 'aside'), join(second!, name));
    const after = ask(store);
    if (name === 'data') {
      expect(store.run({ kind: 'search', query: ANY_TRACE }).warnings).toHaveLength(2);
      expect(store.find([idOf(1, 16)])).toEqual([]);
    } else expect(after.answers).toEqual(before.answers);
  });
});
