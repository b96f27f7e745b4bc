// A merge of parts copies blocks as they are where it may, encodes the rest again, and answers as if it had encoded all of them.
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BlockReader } from '../../src/block/block-reader.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { encodeFileHeader, LOG_FORMAT } from '../../src/part/format-version.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { mergeParts, type MergeInput, type MergeJob, type MergeResult } from '../../src/part/merge-parts.ts';
import { outlineAt } from '../../src/part/outlines.ts';
import { openPart } from '../../src/part/part-reader.ts';
import { parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { blockSpans, requestOf, traceIdOf, type MadeSpans } from '../storage/stored-spans.ts';
import { spanSet } from '../support/span-set.ts';
import { blockOf, DAY } from './made-blocks.ts';

/** More rows than a small block has, and fewer than two blocks. */
const FULL = 12_400;

interface Made extends MadeSpans {
  readonly tenant?: Tenant;
}

function run(folder: string, name: string, job: Pick<MergeJob, 'inputs'> & Partial<MergeJob>): MergeResult {
  nodeDisk.makeDir(join(folder, 'quarantine'));
  return mergeParts(nodeDisk, {
    partPath: join(folder, name),
    day: DAY,
    origin: { logSeqMax: 1, partIds: [] },
    rollups: { kind: 'count', counted: [] },
    quarantinePath: join(folder, 'quarantine'),
    ...job,
  });
}

/** Writes log blocks and flushes them to a part; returns it as the input of a merge. */
function flushed(folder: string, name: string, specs: readonly Made[]): MergeInput {
  const path = join(folder, `${name}.log`);
  const header = encodeFileHeader(LOG_FORMAT, newIdentity());
  let offset = header.length;
  const blocks = specs.map((spec) => blockOf(spec, spec.tenant));
  const places = blocks.map((block) => {
    const { tenant, startMin, sizeBytes } = new BlockReader(block).header;
    offset += sizeBytes;
    return { tenant, startMin, sizeBytes, offset: offset - sizeBytes };
  });
  writeFileSync(path, Buffer.concat([header, ...blocks]));
  const { part } = run(folder, name, { inputs: [{ path, blocks: places }] });
  return { path: join(folder, name, 'data'), blocks: part!.blocks, isPart: true };
}

/** Bytes of every block of the part. */
function blocksOf(folder: string, name: string): Buffer[] {
  using part = openPart(nodeDisk, join(folder, name));
  return part.metadata.blocks.map((_, block) => Buffer.from(part.readBlock(block)));
}

function spansOf(folder: string, name: string): string[] {
  return blocksOf(folder, name).flatMap(blockSpans).sort();
}

/** Each block's filter, outline and traces are those of a block with these rows. */
function expectIndexed(folder: string, name: string): void {
  using part = openPart(nodeDisk, join(folder, name));
  const outlines = part.outlines()!;
  part.metadata.blocks.forEach(({ durationMax }, block) => {
    expect(part.filter(block)).toBeDefined();
    const { operations, resources, scopes } = outlineAt(outlines, block);
    expect([operations.size, resources.length, scopes.length, durationMax]).toEqual([15, 1, 1, 1000]);
    const ids = new BlockReader(part.readBlock(block)).traceIds();
    for (let at = 0; at < ids.length; at += 16 * 97) expect(part.findTrace(ids.subarray(at, at + 16))).toContain(block);
  });
}

describe('a merge of parts', () => {
  test('copies full blocks that share no trace, with their filters, outlines and traces', () => {
    using folder = new TemporaryFolder();
    const inputs = [0, 1, 2].map((i) => flushed(folder.path, `${i}`, [{ first: i * FULL, count: FULL }]));
    const result = run(folder.path, 'merged', { inputs });
    expect(result).toMatchObject({ rowsRead: 3 * FULL, rowsCopied: 3 * FULL, duplicates: 0, damaged: [] });
    expectIndexed(folder.path, 'merged');
    using part = openPart(nodeDisk, join(folder.path, 'merged'));
    expect(part.metadata).toEqual(result.part);
    for (const i of [0, 1, 2]) {
      using from = openPart(nodeDisk, join(folder.path, `${i}`));
      expect(outlineAt(part.outlines()!, i)).toEqual(outlineAt(from.outlines()!, 0));
      expect(part.filterBytes(i)).toEqual(from.filterBytes(0));
    }
  });

  test('encodes the blocks again that share a trace: the trace is whole, and an equal span is there once', () => {
    using folder = new TemporaryFolder();
    // The last trace of the first part has spans in the second; the first part's last span is in both.
    const specs = [
      { first: 0, count: FULL },
      { first: FULL - 1, count: FULL },
      { first: 3 * FULL, count: FULL },
    ];
    const inputs = specs.map((spec, i) => flushed(folder.path, `${i}`, [spec]));
    const result = run(folder.path, 'merged', { inputs });
    expect(result).toMatchObject({ rowsRead: 3 * FULL, rowsCopied: FULL, duplicates: 1 });
    expect(spansOf(folder.path, 'merged')).toEqual(
      spanSet([requestOf({ first: 0, count: 2 * FULL - 1 }), requestOf(specs[2]!)]),
    );
    using part = openPart(nodeDisk, join(folder.path, 'merged'));
    expect(part.findTrace(traceIdOf(FULL / 4 - 1))).toHaveLength(1);
  });

  test('encodes small blocks again, together', () => {
    using folder = new TemporaryFolder();
    const inputs = Array.from({ length: 4 }, (_, i) =>
      flushed(folder.path, `${i}`, [{ first: i * 5_000, count: 5_000 }]),
    );
    const { part, rowsCopied } = run(folder.path, 'merged', { inputs });
    expect(rowsCopied).toBe(0);
    expect(part!.blocks.map(({ rowCount }) => rowCount)).toEqual([20_000 - 10_000, 10_000]);
    expect(spansOf(folder.path, 'merged')).toEqual(spanSet([requestOf({ first: 0, count: 20_000 })]));
  });

  test('brings a trace together whose pieces have copied blocks between them', () => {
    using folder = new TemporaryFolder();
    // One trace has a span in the first and in the last part.
    const traceOf = (n: number): number => (n === 0 || n === 4 * FULL - 1 ? 1_000_000 : n >> 2);
    const inputs = [0, 1, 2, 3].map((i) => flushed(folder.path, `${i}`, [{ first: i * FULL, count: FULL, traceOf }]));
    expect(run(folder.path, 'merged', { inputs }).rowsCopied).toBe(2 * FULL);
    using part = openPart(nodeDisk, join(folder.path, 'merged'));
    expect(part.findTrace(traceIdOf(1_000_000))).toHaveLength(1);
    expect(part.metadata).toMatchObject({ rowCount: 4 * FULL });
  });

  test('encodes a block again of which rows are left out', () => {
    using folder = new TemporaryFolder();
    const inputs = [0, 1].map((i) => flushed(folder.path, `${i}`, [{ first: i * FULL, count: FULL }]));
    // The rows of a block stand in order of their start: the first is span 0.
    const leftOut = new Uint8Array(FULL).fill(1, 0, 1);
    const some = { ...inputs[0]!, blocks: inputs[0]!.blocks.map((block) => ({ ...block, leftOut })) };
    const { part, rowsCopied } = run(folder.path, 'merged', { inputs: [some, inputs[1]!], rollups: { kind: 'none' } });
    expect([part!.rowCount, rowsCopied]).toEqual([2 * FULL - 1, FULL]);
    expect(spansOf(folder.path, 'merged')).toEqual(spanSet([requestOf({ first: 1, count: 2 * FULL - 1 })]));
  });

  test('does not take a trace of another tenant for the same one', () => {
    using folder = new TemporaryFolder();
    const tenant = parseTenant('1', '2');
    const spec = { first: 0, count: FULL };
    const inputs = [flushed(folder.path, '0', [spec]), flushed(folder.path, '1', [{ ...spec, tenant }])];
    const { part, rowsCopied } = run(folder.path, 'merged', { inputs });
    expect(part!.blocks.map((block) => block.tenant)).toEqual(['0:0', tenant]);
    expect(rowsCopied).toBe(2 * FULL);
  });

  test('counts calls from copied blocks too, where the roll-ups of a whole day are to be counted again', () => {
    using folder = new TemporaryFolder();
    const inputs = [0, 1].map((i) => flushed(folder.path, `${i}`, [{ first: i * FULL, count: FULL }]));
    const parts = ['0', '1'].map((name) => join(folder.path, name));
    nodeDisk.remove(join(parts[0]!, 'rollups'));
    const job = { inputs, rollups: { kind: 'sum', parts, isWholeDay: true } } as const;
    const counted = run(folder.path, 'copied', job);
    const all = run(folder.path, 'encoded', { ...job, inputs: inputs.map((input) => ({ ...input, isPart: false })) });
    expect([counted.rowsCopied, all.rowsCopied]).toEqual([2 * FULL, 0]);
    expect(counted.part!.rollupsBytes).toBe(all.part!.rollupsBytes);
    const [x, y] = ['copied', 'encoded'].map((name) => readFileSync(join(folder.path, name, 'rollups')).subarray(36));
    expect(x!.equals(y!)).toBe(true);
  });
});

describe('of damaged inputs a merge', () => {
  function damage(path: string, at: number): void {
    const bytes = readFileSync(path);
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    writeFileSync(path, bytes);
  }
  const made = (folder: string): MergeInput[] =>
    [0, 1].map((i) => flushed(folder, `${i}`, [{ first: i * FULL, count: FULL }]));
  const whole = spanSet([requestOf({ first: 0, count: 2 * FULL })]);

  test.each([
    { what: 'trace lookup', file: 'traces', at: 100, copied: 0 },
    { what: 'filter', file: 'filters', at: -10, copied: FULL },
    { what: 'list of outlines', file: 'filters', at: 60, copied: FULL },
  ])('with a damaged $what encodes again what it cannot copy, and loses nothing', ({ file, at, copied }) => {
    using folder = new TemporaryFolder();
    const inputs = made(folder.path);
    damage(join(folder.path, '1', file), at);
    expect(run(folder.path, 'merged', { inputs })).toMatchObject({ rowsCopied: copied, damaged: [] });
    expect(spansOf(folder.path, 'merged')).toEqual(whole);
    expectIndexed(folder.path, 'merged');
  });

  test('with a damaged block leaves it out and keeps its bytes in quarantine', () => {
    using folder = new TemporaryFolder();
    const inputs = made(folder.path);
    damage(join(folder.path, '1', 'data'), -3);
    const { damaged, part, rowsCopied } = run(folder.path, 'merged', { inputs });
    expect(damaged).toHaveLength(1);
    expect([part!.rowCount, rowsCopied]).toEqual([FULL, FULL]);
    expect(nodeDisk.list(join(folder.path, 'quarantine'))).toHaveLength(2);
  });
});
