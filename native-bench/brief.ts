// What `npm run bench` without arguments measures: three short scenarios in a row, a minute and a half, with a word on each before it
// begins and a glossary at the end. Its figures are for a first impression: too short for a comparison.
import { describeMachine } from './harness/machine.ts';
import { parseBenchOptions, type BenchOptions } from './harness/options.ts';
import { formatReport, type Report } from './harness/report.ts';

export type Scenario = (options: BenchOptions, command: string) => Promise<Report>;

interface Step {
  readonly scenario: string;
  readonly options: readonly string[];
  /** What the reader waits for. */
  readonly about: string;
}

export const STEPS: readonly Step[] = [
  {
    scenario: 'ingest',
    options: ['--seconds', '5', '--spans', '100000'],
    about: 'how many spans a second the node acknowledges, each on disk and fsynced, and what a span costs; about 15 s',
  },
  {
    scenario: 'by-id',
    options: ['--seconds', '3', '--spans', '100000'],
    about: 'how long it takes to read one trace of 100,000 stored spans by its id; about 15 s',
  },
  {
    scenario: 'search',
    options: ['--seconds', '3', '--spans', '100000'],
    about: 'how long searches take, kind by kind; about 50 s',
  },
];

const WORDS: readonly (readonly [word: string, meaning: string])[] = [
  [
    'floor',
    'what this machine needs at least, measured in the same run: an HTTP server that drops the same bodies, an empty GET,',
  ],
  [
    '',
    'one write with fdatasync, the bodies compressed. Compare ratios (last column): absolute times differ between machines.',
  ],
  ['acknowledged', 'answered with 200, so on disk and fsynced.'],
  ['ack p50, p99', 'the time until half, and until 99 of 100, requests were acknowledged.'],
  ['CPU under load', 'CPU time of all threads of the node a span, while spans come in.'],
  ['CPU all in', 'the same from start to end: warm-up, flush and merges included.'],
  ['RSS', "the node's resident memory."],
  ['flush, merge', 'turns the log into parts, and parts into fewer, larger ones.'],
  [
    'written',
    'bytes written to disk in all, log and merges included; "written / bytes on disk" is the write amplification.',
  ],
  ['blocks opened', 'how many blocks of some thousand spans a search had to look into.'],
];

/** Runs the steps one after the other. */
export async function runBrief(scenarios: Readonly<Record<string, Scenario>>): Promise<void> {
  const machine = describeMachine();
  console.log(
    `${STEPS.length} short measurements of a node on a temporary directory, with generated traffic; about a minute and a half.\n` +
      'npm run bench -- help lists all scenarios and options.',
  );
  for (const [i, { scenario, options, about }] of STEPS.entries()) {
    const argv = [scenario, ...options];
    const command = `npm run bench -- ${argv.join(' ')}`;
    console.log(`\n${i + 1} of ${STEPS.length}: ${about}\n   ${command}\n`);
    console.log(formatReport(await scenarios[scenario]!(parseBenchOptions(argv).options, command), machine));
  }
  console.log(`\n${glossary()}`);
}

/** The words of the tables, a line each. */
export function glossary(): string {
  const width = Math.max(...WORDS.map(([word]) => word.length));
  return ['What the words mean:', ...WORDS.map(([word, meaning]) => `  ${word.padEnd(width)}  ${meaning}`)].join('\n');
}
