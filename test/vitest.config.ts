// Seven projects: unit (fast, many small files in one process), system (real processes, sockets and disks, each file in
// its own process), conformance (the contract's checks, likewise), cluster and cluster-rest (suites of the others again, asked of a
// cluster behind HAProxy: a sample and what is left), crash (kills and faults, minutes) and kafka (real brokers, minutes).
// `npm test` runs all but the last three.
import { defineConfig } from 'vitest/config';
import { hasProxy } from '../native-bench/harness/proxy.ts';
import { ConformanceCount } from './support/conformance-count.ts';
import { LeftOut } from './support/left-out.ts';

const slow = ['test/system/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/deploy/**/*.test.ts'];
const conformance = ['test/conformance/**/*.test.ts'];
const crash = ['test/crash/**/*.test.ts'];
const kafka = ['test/kafka/**/*.test.ts'];
// Each test of these takes minutes: the run shows how far it is.
const isCrash = process.env['npm_lifecycle_event'] === 'test:crash';
// Unchanged: test/support/cluster-front.ts is what they take for a node.
const throughCluster = [...conformance, 'test/system/search-oracle.test.ts', 'test/system/metamorphic.test.ts'];
const clusterSample = ['search', 'grpc'].map((name) => `test/conformance/${name}.test.ts`);
// Each file starts eight processes and more.
const clusterRun = {
  pool: 'forks',
  fileParallelism: false,
  testTimeout: 300_000,
  hookTimeout: 300_000,
  env: { TRACELITH_TEST_THROUGH: 'cluster' },
} as const;
// .ci/run asks for machine-readable results beside the readable ones.
const reportFile = process.env['TRACELITH_TEST_REPORT'];

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    reporters: [
      isCrash ? 'verbose' : 'default',
      ...(reportFile === undefined ? [] : [['json', { outputFile: reportFile }] as ['json', object]]),
      new ConformanceCount(),
      new LeftOut(),
    ],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...slow, ...conformance, ...crash, ...kafka],
          // Files share a process: what they load is loaded once. Isolated, the same tests take several times as long.
          pool: 'forks',
          isolate: false,
          // No test is about time, and the machine may be busy: this ends one that hangs.
          testTimeout: 60_000,
        },
      },
      { test: { name: 'system', include: slow, pool: 'forks', testTimeout: 180_000, hookTimeout: 180_000 } },
      {
        test: { name: 'conformance', include: conformance, pool: 'forks', testTimeout: 180_000, hookTimeout: 180_000 },
      },
      { test: { name: 'cluster', include: hasProxy('haproxy') ? clusterSample : [], ...clusterRun } },
      {
        test: {
          name: 'cluster-rest',
          include: hasProxy('haproxy') ? throughCluster : [],
          exclude: [...clusterSample, 'test/conformance/browser.test.ts'],
          ...clusterRun,
        },
      },
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
      // Each file starts brokers of its own, three JVMs.
      {
        test: {
          name: 'kafka',
          include: kafka,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
