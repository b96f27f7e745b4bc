// A folder for what a scenario writes, which is gone when the scenario has ended, also when it is interrupted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './options.ts';

/** Runs `work` with a new folder in --data-path or the temporary directory. */
export async function inScratch<T>(
  { dataPath }: Pick<BenchOptions, 'dataPath'>,
  work: (scratchPath: string) => Promise<T>,
): Promise<T> {
  const scratchPath = mkdtempSync(join(dataPath ?? tmpdir(), 'tracelith-bench-'));
  const remove = (): void => rmSync(scratchPath, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await work(scratchPath);
  } finally {
    remove();
  }
}
