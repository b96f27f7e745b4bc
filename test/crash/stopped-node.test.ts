// A storage node is stopped for minutes under full load (STOP_SECONDS, 180): insert and select stay within their memory.
import { expect, test } from 'vitest';
import { loadWhileStopped } from '../support/stopped-node.ts';

const SECONDS = Number(process.env['STOP_SECONDS'] ?? 180);
const MEMORY_MAX: number = 700 << 20;

test.skipIf(process.platform !== 'linux')(
  `a storage node stopped for ${SECONDS} s`,
  { timeout: SECONDS * 3_000 + 600_000 },
  async () => {
    const { answers, insertBytes, selectBytes } = await loadWhileStopped(SECONDS * 1_000);
    process.stdout.write(
      `stopped node: insert ${insertBytes >> 20} MiB, select ${selectBytes >> 20} MiB, ${JSON.stringify([...answers])}\n`,
    );
    expect(Math.max(insertBytes, selectBytes)).toBeLessThan(MEMORY_MAX);
    expect([...answers.keys()].filter((each) => !/^(insert|select) (200|429|503)$/.test(each))).toEqual([]);
  },
);
