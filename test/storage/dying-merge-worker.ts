// A merge worker that does what the job's folder is named after: see merge-pool.test.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { MergeJob } from '../../src/part/merge-parts.ts';
import type { MergeReply } from '../../src/storage/merge-job.ts';

export function runMergeJob({ partPath }: MergeJob): MergeReply {
  const name = basename(partPath);
  if (name === 'heap') exhaustHeap();
  if (name === 'bug') throw new Error('BUG: made for a test');
  if (name === 'endless') writeForEver(partPath);
  if (name === 'disk') return { kind: 'failed', code: 'DISK', message: 'no space' };
  return { kind: 'done', result: { part: undefined, rowsRead: 0, rowsCopied: 0, duplicates: 0, damaged: [] } };
}

function exhaustHeap(): never {
  const held: string[][] = [];
  for (;;) held.push(Array.from({ length: 10_000 }, (_, i) => `${held.length} ${i}`));
}

/** Writes files below its folder, making it anew when it is gone: what a cancelled merge must not do any more. */
function writeForEver(partPath: string): never {
  for (let i = 0; ; i++) {
    mkdirSync(partPath, { recursive: true });
    writeFileSync(join(partPath, String(i % 10)), 'x');
  }
}
