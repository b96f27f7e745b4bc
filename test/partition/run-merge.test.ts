import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreError, type StoreErrorCode } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { MergeJob, MergeResult } from '../../src/part/merge-parts.ts';
import { runMerge } from '../../src/partition/run-merge.ts';
import { DAY } from '../part/made-blocks.ts';
import { memoryLog, TemporaryFolder } from '../storage/open-store.ts';

const DONE: MergeResult = { part: undefined, rowsRead: 7, rowsCopied: 0, duplicates: 0, damaged: [] };

/** Attempts end with `codes` in turn, leaving a folder; then they succeed. */
async function attempts(codes: readonly StoreErrorCode[]): Promise<{ tried: string[]; left: string[]; end: unknown }> {
  using folder = new TemporaryFolder();
  const tried: string[] = [];
  const makeJob = (): MergeJob => ({
    inputs: [],
    partPath: join(folder.path, String(tried.length)),
    day: DAY,
    origin: { logSeqMax: 0, partIds: [] },
    rollups: { kind: 'count', counted: [] },
    quarantinePath: '',
  });
  const runner = {
    run: async (job: MergeJob, options: { isAlone?: boolean } = {}): Promise<MergeResult> => {
      const code = codes[tried.length];
      tried.push(`${basename(job.partPath)}${options.isAlone === true ? ' alone' : ''}`);
      if (code === undefined) return DONE;
      mkdirSync(job.partPath);
      throw new StoreError(code, 'made for a test');
    },
  };
  const context = { runner, disk: nodeDisk, logger: memoryLog(), signal: new AbortController().signal };
  const end = await runMerge(context, makeJob).catch((error: unknown) => (error as StoreError).code);
  return { tried, left: nodeDisk.list(folder.path), end };
}

test.each([
  { codes: [], tried: ['0'], end: DONE },
  { codes: ['WORKER_FAILED'], tried: ['0', '1 alone'], end: DONE },
  { codes: ['CORRUPTION'], tried: ['0', '1 alone'], end: DONE },
  { codes: ['WORKER_FAILED', 'WORKER_FAILED'], tried: ['0', '1 alone'], end: 'WORKER_FAILED' },
  { codes: ['DISK'], tried: ['0'], end: 'DISK' },
  { codes: ['UNAVAILABLE'], tried: ['0'], end: 'UNAVAILABLE' },
  { codes: ['CANCELLED'], tried: ['0'], end: 'CANCELLED' },
] as const)('a merge that ends with $codes is tried as $tried', async ({ codes, tried, end }) => {
  const ran = await attempts(codes);
  expect(ran).toMatchObject({ tried, end });
  // mergeParts removes what it wrote; a thread that died could not.
  if (codes[0] !== 'DISK' && codes[0] !== 'CORRUPTION') expect(ran.left).toEqual([]);
});
