// npm run soak -- --minutes 20: everything at once for so long; fails when anything grows or was answered wrongly (scenarios/soak.ts).
// With --save it writes a dated page to results/.
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import { describeMachine } from './harness/machine.ts';
import { formatReport, saveReport } from './harness/report.ts';
import { shareOfMaximum, soak } from './scenarios/soak.ts';

// As in bench.ts.
v8.setFlagsFromString('--external-memory-accounted-in-global-limit');

async function main(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      flag: { type: 'string', multiple: true, default: [] },
      save: { type: 'boolean', default: false },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes >= 1 && minutes <= 24 * 60))
    throw new Error(`--minutes ${values.minutes} is not a number from 1 to 1440`);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed} is not a whole number`);
  console.error(
    `soak: first the highest rate, half a minute, then ${minutes} minutes at ${100 * shareOfMaximum} % of it, told of every minute`,
  );
  const { report, faults } = await soak({ minutes, seed, flags: values.flag }, `npm run soak -- ${argv.join(' ')}`);
  const machine = describeMachine();
  const verdict = faults.length === 0 ? 'verdict: nothing grows' : `verdict: FAILED: ${faults.join('; ')}`;
  const judged = { ...report, notes: [...report.notes, verdict] };
  console.log(formatReport(judged, machine));
  if (values.save) console.log(`saved: ${saveReport(judged, machine, new URL('results', import.meta.url).pathname)}`);
  if (faults.length > 0) exitWith('failed, see the verdict');
}

// process.exit runs the exit handlers that kill child processes and remove temporary directories.
function exitWith(message: string): never {
  console.error(`soak: ${message}`);
  process.exit(1);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => exitWith(signal));
main(process.argv.slice(2)).catch((error: unknown) => exitWith(error instanceof Error ? error.message : String(error)));
