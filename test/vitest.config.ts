// Three projects: unit (fast, many small files in one process), system (real processes, sockets and disks, each file in
// its own process) and crash (kills and faults, minutes). `npm test` runs the first two.
import { defineConfig } from 'vitest/config';

const slow = ['test/system/**/*.test.ts', 'test/contract/**/*.test.ts'];
const crash = ['test/crash/**/*.test.ts'];
// .ci/run asks for machine-readable results beside the readable ones.
const reportFile = process.env['TRACELITH_TEST_REPORT'];

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    reporters: reportFile === undefined ? ['default'] : ['default', ['json', { outputFile: reportFile }]],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...slow, ...crash],
          // Files share a process: what they load is loaded once. Isolated, the same tests take several times as long.
          pool: 'forks',
          isolate: false,
        },
      },
      { test: { name: 'system', include: slow, pool: 'forks', testTimeout: 30_000, hookTimeout: 30_000 } },
      // One file at a time: they measure recovery, and each loads the disk.
      {
        test: {
          name: 'crash',
          include: crash,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
