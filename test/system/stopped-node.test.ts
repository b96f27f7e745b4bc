// insert and select stay within their memory while a storage node is stopped under load; test/crash/stopped-node.test.ts stops it for
// minutes.
import { expect, test } from 'vitest';
import { loadWhileStopped } from '../support/stopped-node.ts';

const STOP_MS = 12_000;
/** As in the schedules of faults (test/support/cluster-faults.ts). */
const MEMORY_MAX: number = 700 << 20;

test.skipIf(process.platform !== 'linux')(
  'a stopped storage node costs insert and select no memory without bound, and nobody waits for ever',
  { timeout: 600_000 },
  async () => {
    const { answers, insertBytes, selectBytes } = await loadWhileStopped(STOP_MS);
    process.stdout.write(
      `stopped node: insert ${insertBytes >> 20} MiB, select ${selectBytes >> 20} MiB, ${JSON.stringify([...answers])}\n`,
    );
    expect(Math.max(insertBytes, selectBytes)).toBeLessThan(MEMORY_MAX);
    expect([...answers.keys()].filter((each) => !/^(insert|select) (200|429|503)$/.test(each))).toEqual([]);
    expect(answers.get('insert 200')).toBeGreaterThan(0);
    // The reads that take no partial answer.
    expect(answers.get('select 503')).toBeGreaterThan(0);
  },
);
