// node_modules/.bin/node native-bench/reliability.ts REPORT.json…: writes docs/RELIABILITY.md from the JSON reports of test runs (TRACELITH_TEST_REPORT=FILE
// npm test, …  npm run test:crash) and the newest results of soak and recovery. What is promised and which tests show it stands below; no
// figure is typed by hand: test/native-bench/reliability.test.ts makes the page again from the figures in it and compares.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describeMachine, type Machine } from './harness/machine.ts';
import type { Row } from './harness/report.ts';

interface Promised {
  readonly promise: string;
  readonly how: string;
  /** Test files, or folders of them. */
  readonly tests: readonly string[];
}

export const PROMISES: readonly Promised[] = [
  {
    promise: 'What is acknowledged is on disk, fsynced: a crash or a loss of power loses none of it.',
    how: 'kill -9 of the real program under load; a scripted run crashed after every disk call under every kind of power loss',
    tests: [
      'test/crash/kill.test.ts',
      'test/crash/disk-crash.test.ts',
      'test/system/kill.test.ts',
      'test/storage/crash.test.ts',
    ],
  },
  {
    promise: 'What is acknowledged is found by the next query.',
    how: 'requests, flushes, merges, restarts and queries interleaved, compared with a model',
    tests: ['test/storage/storage.test.ts', 'test/storage/threaded-store.test.ts', 'test/system/search-oracle.test.ts'],
  },
  {
    promise: 'What comes out is what came in: every type, order, duplicate and flag.',
    how: 'random requests and captured ones through every protocol and back',
    tests: [
      'test/system/round-trip.test.ts',
      'test/system/exporters.test.ts',
      'test/otlp',
      'test/block/block-round-trip.test.ts',
    ],
  },
  {
    promise: 'Nothing is dropped in silence: received = stored + rejected, by reason.',
    how: 'the ledger is compared after every kind of request, good, partial and malformed',
    tests: ['test/system/bad-input.test.ts', 'test/storage/ledger.test.ts', 'test/api/otlp-in'],
  },
  {
    promise:
      'The same data gives the same answers, byte for byte, whatever was merged, restarted or restored in between.',
    how: 'random orders of the same requests and of the operators’ work, answers compared',
    tests: ['test/system/metamorphic.test.ts', 'test/system/backup.test.ts'],
  },
  {
    promise:
      'A damaged or missing file costs at most what was in it, and every answer that could lack something says so.',
    how: 'every file of a store flipped, cut, emptied, deleted, swapped, before a start and while it runs',
    tests: [
      'test/system/damage-live.test.ts',
      'test/system/damage-sweep.test.ts',
      'test/system/losses.test.ts',
      'test/crash/losses.test.ts',
      'test/storage/damage.test.ts',
      'test/block/block-damage.test.ts',
    ],
  },
  {
    promise: 'A full or failing disk refuses data for a while, and loses none.',
    how: 'a real small file system filled to its end; each disk call failed with each errno',
    tests: [
      'test/crash/disk-refuses.test.ts',
      'test/system/disk-full.test.ts',
      'test/index/disk-full.test.ts',
      'test/storage/disk-guard.test.ts',
    ],
  },
  {
    promise: 'One day, one merge or one request that fails holds up no other.',
    how: 'random schedules over the states of days and of the group commit; threads that die, hang and run out of heap',
    tests: [
      'test/storage/day-schedules.test.ts',
      'test/storage/group-commit-schedules.test.ts',
      'test/storage/merge-pool.test.ts',
      'test/storage/failed-requests.test.ts',
      'test/base/thread-pool.test.ts',
    ],
  },
  {
    promise: 'A store or main thread that hangs or dies turns health to 503, is logged, and ends the process.',
    how: 'each thread hung from outside in the running program; heartbeats over random schedules',
    tests: ['test/system/hung-threads.test.ts', 'test/base/pulse.test.ts'],
  },
  {
    promise: 'Whatever clients do, a good one is served, and SIGTERM ends the node by its deadline with status 0.',
    how: 'random mixtures of rude clients on a running node; more idle sockets than file descriptors on every port',
    tests: [
      'test/system/rude-clients.test.ts',
      'test/api/edge/connections.test.ts',
      'test/api/grpc/grpc-server.test.ts',
    ],
  },
  {
    promise:
      'A node of a cluster that is away makes answers partial and marked, or failed, as configured; never short in silence, never double.',
    how: 'random schedules of kill -9, stops and broken links on real processes; rolling restarts behind a proxy; answers compared with one node',
    tests: [
      'test/crash/cluster-faults.test.ts',
      'test/system/cluster-faults.test.ts',
      'test/system/cluster.test.ts',
      'test/system/cluster-proxy.test.ts',
      'test/contract/odd-nodes.test.ts',
      'test/contract/node-lists.test.ts',
      'test/cluster',
    ],
  },
  {
    promise:
      'With a log: nothing acknowledged is lost or shown twice, and every question is answered, while any one machine or zone is away.',
    how: 'random schedules of kill -9, stops, bad links, full disks and flipped bytes on real processes and servers of the log; both zones compared byte for byte',
    tests: [
      'test/crash/log-faults.test.ts',
      'test/system/log-faults.test.ts',
      'test/system/ingest-log.test.ts',
      'test/system/log-sync.test.ts',
      'test/contract/ingest-log.test.ts',
      'test/ingest-log',
    ],
  },
  {
    promise: 'Nothing is reachable without the login that it needs.',
    how: 'each credential × scope × tenant × path or method, on every port, from the table of routes',
    tests: ['test/api/access', 'test/system/access.test.ts', 'test/system/tls.test.ts'],
  },
  {
    promise: 'When a deletion has ended, no byte of what it selected is left in the data directory.',
    how: 'the files of the directory are searched for the deleted values, after crashes and restarts in between, too',
    tests: ['test/deletion', 'test/system/deletion.test.ts'],
  },
];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Measured {
  readonly command: string;
  readonly date: string;
  readonly rows: readonly Row[];
}

/** All that is not text; stands at the end of the page. */
export interface Figures {
  readonly date: string;
  readonly machine: Machine;
  readonly all: Counts;
  /** In the order of PROMISES. */
  readonly promises: readonly Counts[];
  /** By scenario. */
  readonly measured: Readonly<Record<string, Measured>>;
}

interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

const root = new URL('..', import.meta.url).pathname;
const page = join(root, 'docs/RELIABILITY.md');
const shownScenarios = ['soak', 'recovery'];
const mark = '<!-- figures ';

const none: Counts = { passed: 0, failed: 0, skipped: 0 };
const sum = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/**
 * Counts by file, relative to the repository: those of the last report that has the file, so that a run of single files adds to one
 * of all. A file that ended before its tests counts as one failure.
 */
export function countsOf(reports: readonly VitestReport[], base: string = root): Map<string, Counts> {
  return new Map(reports.flatMap((report) => [...countsIn(report, base)]));
}

/** A file that several projects run is in one report several times. */
function countsIn({ testResults }: VitestReport, base: string): Map<string, Counts> {
  const counts = new Map<string, Counts>();
  for (const { name, assertionResults } of testResults) {
    const file = relative(base, name);
    const own = assertionResults.reduce((all, { status }) => {
      if (status === 'passed') return { ...all, passed: all.passed + 1 };
      return status === 'failed' ? { ...all, failed: all.failed + 1 } : { ...all, skipped: all.skipped + 1 };
    }, none);
    const broken = assertionResults.length === 0 ? { ...none, failed: 1 } : own;
    counts.set(file, sum(counts.get(file) ?? none, broken));
  }
  return counts;
}

export function countsFor(tests: readonly string[], counts: ReadonlyMap<string, Counts>): Counts {
  const isMeant = (file: string): boolean => tests.some((test) => file === test || file.startsWith(`${test}/`));
  return [...counts].filter(([file]) => isMeant(file)).reduce((all, [, own]) => sum(all, own), none);
}

export function render(figures: Figures): string {
  const { date, machine, all, promises, measured } = figures;
  const shown = ({ passed, failed, skipped }: Counts): string =>
    passed + failed + skipped === 0
      ? 'not run'
      : [
          `${passed} passed`,
          ...(failed > 0 ? [`**${failed} failed**`] : []),
          ...(skipped > 0 ? [`${skipped} skipped`] : []),
        ].join(', ');
  const links = (tests: readonly string[]): string => tests.map((path) => `[${path.slice(5)}](../${path})`).join(' ');
  const rows = PROMISES.map(
    ({ promise, how, tests }, i) => `| ${promise} | ${how} | ${links(tests)} | ${shown(promises[i] ?? none)} |`,
  );
  return [
    '# What is promised, and what shows it',
    '',
    'Made by `node_modules/.bin/node native-bench/reliability.ts` from the reports of test runs and the newest results of benches: change nothing by hand.',
    `Counted ${date.slice(0, 10)} on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; all tests of these runs: ${shown(all)}.`,
    '',
    '| promise | how it is tested | where | counted |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    'How a process starts, stops and ends by itself: [operations/process.md](operations/process.md). What the contract of Jaeger’s clients asks:',
    '[conformance.md](conformance.md). No test asserts how long something takes; what was measured, with its command:',
    ...Object.entries(measured).flatMap(([name, result]) => ['', `## ${name}`, '', ...measuredLines(result)]),
    '',
    `${mark}${JSON.stringify(figures)} -->`,
    '',
  ].join('\n');
}

function measuredLines({ command, date, rows }: Measured): string[] {
  const figure = (value: number | undefined): string =>
    value === undefined ? '–' : Number(value.toPrecision(3)).toString();
  return [
    `    ${command}`,
    '',
    `| ${date.slice(0, 10)} | unit | |`,
    '| --- | --- | ---: |',
    ...rows.map(({ metric, unit, values }) => `| ${metric} | ${unit} | ${figure(Object.values(values)[0])} |`),
  ];
}

/** The figures that a page was made from. Throws when it has none. */
export function figuresIn(text: string): Figures {
  const at = text.lastIndexOf(mark);
  if (at < 0) throw new Error('the page has no figures');
  return JSON.parse(text.slice(at + mark.length, text.lastIndexOf(' -->'))) as Figures;
}

/** The newest result of each scenario that is shown. */
function readMeasured(): Record<string, Measured> {
  const results = join(root, 'native-bench/results');
  const found: Record<string, Measured> = {};
  for (const scenario of shownScenarios) {
    const newest = readdirSync(results)
      .filter((name) => name.endsWith(`-${scenario}.json`))
      .sort()
      .at(-1);
    if (newest === undefined) continue;
    const { command, date, rows } = JSON.parse(readFileSync(join(results, newest), 'utf8')) as Measured;
    found[scenario] = { command, date, rows };
  }
  return found;
}

function main(paths: readonly string[]): void {
  const missing = paths.filter((path) => !existsSync(path));
  if (paths.length === 0 || missing.length > 0)
    throw new Error(
      `usage: node native-bench/reliability.ts REPORT.json…; not there: ${missing.join(', ') || 'no report given'}`,
    );
  const counts = countsOf(paths.map((path) => JSON.parse(readFileSync(path, 'utf8')) as VitestReport));
  const text = render({
    date: new Date().toISOString(),
    machine: describeMachine(),
    all: countsFor(['test'], counts),
    promises: PROMISES.map(({ tests }) => countsFor(tests, counts)),
    measured: readMeasured(),
  });
  writeFileSync(page, text);
  console.log(`written: ${page}`);
}

if (process.argv[1] === import.meta.filename) main(process.argv.slice(2));
