// Merging: what goes in comes out, whole traces together, once, in the same order whatever it came from.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBlockHeader } from '../../src/block/block-header.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import {
  BLOCK_ROWS_TARGET,
  mergeParts,
  type MergeBlock,
  type MergeInput,
  type MergeJob,
} from '../../src/part/merge-parts.ts';
import { openPart } from '../../src/part/part-reader.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { blockSpans, NOON_NS, requestOf, traceIdOf } from '../storage/stored-spans.ts';
import { spanSet } from '../support/span-set.ts';
import { blockOf, DAY } from './made-blocks.ts';

const OTHER = parseTenant('1', '2');

/** A file of blocks with 16 bytes before them, as logs and part data have. */
function inputOf(path: string, blocks: readonly Uint8Array[]): MergeInput {
  const file = nodeDisk.createFile(path);
  file.write(new Uint8Array(16));
  const places: MergeBlock[] = [];
  for (const block of blocks) {
    const { tenant, startMin, sizeBytes } = readBlockHeader(block);
    places.push({ offset: file.sizeBytes, sizeBytes, tenant, startMin });
    file.write(block);
  }
  file.close();
  return { path, blocks: places };
}

function jobIn(folder: string, inputs: readonly MergeInput[], name = '1'): MergeJob {
  const quarantinePath = join(folder, 'quarantine');
  nodeDisk.makeDir(quarantinePath);
  return {
    inputs,
    partPath: join(folder, name),
    day: DAY,
    origin: { logSeqMax: 4, partIds: [] },
    rollups: { kind: 'count', counted: [] },
    quarantinePath,
  };
}

function blocksIn(path: string): string[][] {
  using part = openPart(nodeDisk, path);
  return part.metadata.blocks.map((_, block) => blockSpans(part.readBlock(block)));
}

describe('a merge', () => {
  test('brings whole traces together, drops exact duplicates, and keeps tenants apart', () => {
    using folder = new TemporaryFolder();
    const traceOf = (n: number): number => n % 5;
    const inputs = [
      inputOf(join(folder.path, 'a'), [
        blockOf({ first: 0, count: 20, traceOf }),
        blockOf({ first: 0, count: 3 }, OTHER),
      ]),
      inputOf(join(folder.path, 'b'), [blockOf({ first: 15, count: 25, traceOf })]),
    ];
    const job = jobIn(folder.path, inputs);
    const result = mergeParts(nodeDisk, job);
    expect(result).toMatchObject({ rowsRead: 48, duplicates: 5, damaged: [] });
    expect(result.part).toMatchObject({ rowCount: 43, day: DAY, origin: { logSeqMax: 4 } });
    expect(blocksIn(job.partPath)).toEqual([
      spanSet([requestOf({ first: 0, count: 40, traceOf })]),
      spanSet([requestOf({ first: 0, count: 3 })]),
    ]);
    using part = openPart(nodeDisk, job.partPath);
    expect(part.metadata).toEqual(result.part);
    expect(part.findTrace(traceIdOf(0))).toEqual([0, 1]);
    expect(part.findTrace(traceIdOf(3))).toEqual([0]);
    expect(part.findTrace(traceIdOf(99))).toEqual([]);
  });

  test('gives the same bytes whatever order its inputs come in', () => {
    using folder = new TemporaryFolder();
    const a = inputOf(
      join(folder.path, 'a'),
      [0, 1, 2].map((i) => blockOf({ first: 10 * i, count: 10, traceOf: (n) => n % 4 })),
    );
    const b = inputOf(join(folder.path, 'b'), [
      blockOf({ first: 5, count: 30, traceOf: (n) => n % 4, startNs: (n) => NOON_NS - BigInt(n) }),
    ]);
    const jobs = [jobIn(folder.path, [a, b], 'ab'), jobIn(folder.path, [b, a], 'ba')];
    for (const job of jobs) mergeParts(nodeDisk, job);
    expect(blocksIn(jobs[1]!.partPath)).toEqual(blocksIn(jobs[0]!.partPath));
  });

  test('cuts blocks between traces, and splits only a trace above the target', () => {
    using folder = new TemporaryFolder();
    const long = BLOCK_ROWS_TARGET * 2 + 100;
    const input = inputOf(join(folder.path, 'a'), [
      blockOf({ first: 0, count: 20_000, traceOf: (n) => n >> 3 }),
      blockOf({ first: 20_000, count: long, traceOf: () => 5_000 }),
    ]);
    const job = jobIn(folder.path, [input]);
    const { part } = mergeParts(nodeDisk, job);
    expect(part?.blocks.map((block) => block.rowCount)).toEqual([13_224, 6_776, 16_384, 16_384, 100]);
    using reader = openPart(nodeDisk, job.partPath);
    for (let trace = 0; trace < 2_500; trace++)
      expect(reader.findTrace(traceIdOf(trace))).toEqual([trace < 1_653 ? 0 : 1]);
    expect(reader.findTrace(traceIdOf(5_000))).toEqual([2, 3, 4]);
  });

  test('of more rows than a window keeps every row, and every trace inside its window whole', () => {
    using folder = new TemporaryFolder();
    const count = 1_000;
    const blocks = Array.from({ length: 9 }, (_, i) => blockOf({ first: i * count, count, traceOf: (n) => n % 50 }));
    const job = { ...jobIn(folder.path, [inputOf(join(folder.path, 'a'), blocks)]), windowRowsMax: 4_000 };
    const result = mergeParts(nodeDisk, job);
    expect(result.part?.blocks.map((block) => [block.rowCount, block.traceCount])).toEqual([
      [4_000, 50],
      [4_000, 50],
      [1_000, 50],
    ]);
    expect(blocksIn(job.partPath).flat().sort()).toEqual(
      spanSet([requestOf({ first: 0, count: 9_000, traceOf: (n) => n % 50 })]),
    );
  });

  test('leaves a damaged block out, keeps its bytes in quarantine, and merges the rest', () => {
    using folder = new TemporaryFolder();
    const good = blockOf({ first: 0, count: 5 });
    const bad = blockOf({ first: 5, count: 5 });
    bad[bad.length - 2]! ^= 1;
    const input = inputOf(join(folder.path, 'a'), [bad, good]);
    const job = jobIn(folder.path, [input]);
    for (const name of ['1', '2']) {
      const result = mergeParts(nodeDisk, { ...job, partPath: join(folder.path, name) });
      expect(result.damaged).toHaveLength(1);
      expect(blocksIn(join(folder.path, name))).toEqual([spanSet([requestOf({ first: 0, count: 5 })])]);
    }
    expect(nodeDisk.list(job.quarantinePath)).toEqual(['a-16', 'a-16.txt']);
    const kept = nodeDisk.openRead(join(job.quarantinePath, 'a-16'));
    expect(Buffer.compare(kept.read(0, kept.sizeBytes), bad)).toBe(0);
    kept.close();
  });

  test('takes no block of another day: its bytes go to quarantine', () => {
    using folder = new TemporaryFolder();
    const blocks = [blockOf({ first: 0, count: 5 }), blockOf({ first: 5, count: 5 })];
    const job = { ...jobIn(folder.path, [inputOf(join(folder.path, 'a'), blocks)]), day: DAY + 1 };
    const { part, damaged } = mergeParts(nodeDisk, job);
    expect(part).toBeUndefined();
    expect(damaged.map(({ message }) => message)).toEqual(
      [0, 1].map(() => `a block of day ${DAY} among those of ${DAY + 1}`),
    );
  });

  test('of which nothing is left makes no part', () => {
    using folder = new TemporaryFolder();
    const job = jobIn(folder.path, []);
    expect(mergeParts(nodeDisk, job)).toEqual({
      part: undefined,
      rowsRead: 0,
      rowsCopied: 0,
      duplicates: 0,
      damaged: [],
    });
    expect(nodeDisk.stat(job.partPath)).toBeUndefined();
  });

  test('that the disk refuses leaves no folder behind and says why', () => {
    using folder = new TemporaryFolder();
    const job = jobIn(folder.path, [inputOf(join(folder.path, 'a'), [blockOf({ first: 0, count: 5 })])]);
    const disk: Disk = {
      ...nodeDisk,
      createFile: (path) =>
        path.endsWith('metadata')
          ? nodeDisk.createFile(join(folder.path, 'no', 'such', 'folder'))
          : nodeDisk.createFile(path),
    };
    expect(() => mergeParts(disk, job)).toThrow(expect.objectContaining({ code: 'DISK' }));
    expect(nodeDisk.stat(job.partPath)).toBeUndefined();
  });
});
