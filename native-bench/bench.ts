// Whole-system measurements: npm run bench -- <scenario> [options]; without either, the short run of brief.ts. Each prints one table
// with the machine's own floor beside it, and with --save writes a dated page. Everything started here is stopped here, at the latest when --timeout-seconds are over.
import v8 from 'node:v8';
import { runBrief, type Scenario } from './brief.ts';
import { describeMachine } from './harness/machine.ts';
import { parseBenchOptions, usage } from './harness/options.ts';
import { formatReport, saveReport } from './harness/report.ts';
import { attach } from './scenarios/attach.ts';
import { bigTrace } from './scenarios/big-trace.ts';
import { byId } from './scenarios/by-id.ts';
import { calls } from './scenarios/calls.ts';
import { cluster } from './scenarios/cluster.ts';
import { density } from './scenarios/density.ts';
import { fairness } from './scenarios/fairness.ts';
import { ingest } from './scenarios/ingest.ts';
import { log } from './scenarios/log.ts';
import { logins } from './scenarios/logins.ts';
import { merge } from './scenarios/merge.ts';
import { micro } from './scenarios/micro.ts';
import { mixed } from './scenarios/mixed.ts';
import { recovery } from './scenarios/recovery.ts';
import { scrape } from './scenarios/scrape.ts';
import { search } from './scenarios/search.ts';
import { sustain } from './scenarios/sustain.ts';

// Young buffers must not start major collections (nodejs/node 61967): the load generator would measure itself.
v8.setFlagsFromString('--external-memory-accounted-in-global-limit');

const scenarios: Readonly<Record<string, Scenario>> = {
  ingest,
  density,
  'by-id': byId,
  search,
  calls,
  mixed,
  recovery,
  merge,
  micro,
  'big-trace': bigTrace,
  sustain,
  cluster,
  log,
  logins,
  attach,
  fairness,
  scrape,
};
const resultsPath = new URL('results', import.meta.url).pathname;

async function main(argv: readonly string[]): Promise<void> {
  if (argv.length === 0) return await runBrief(scenarios);
  const { scenario, options } = parseBenchOptions(argv);
  if (scenario === 'help') return console.log(usage(Object.keys(scenarios)));
  const run = scenarios[scenario ?? ''];
  if (run === undefined) throw new Error(`no scenario ${scenario ?? 'given'}\n${usage(Object.keys(scenarios))}`);
  const deadline = setTimeout(
    () => exitWith(`not done after ${options.timeoutSeconds} s; give --timeout-seconds`),
    options.timeoutSeconds * 1000,
  );
  const report = await run(options, `npm run bench -- ${argv.join(' ')}`);
  clearTimeout(deadline);
  const machine = describeMachine();
  console.log(formatReport(report, machine));
  if (options.save) console.log(`saved: ${saveReport(report, machine, resultsPath)}`);
}

// process.exit runs the exit handlers that kill child processes and remove temporary directories.
function exitWith(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(1);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => exitWith(signal));
main(process.argv.slice(2)).catch((error: unknown) => exitWith(error instanceof Error ? error.message : String(error)));
