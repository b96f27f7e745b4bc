// Many schedules of faults on clusters with a log, of real processes: SCHEDULES says how many (100), ten to a cluster; SEED repeats one run.
import { expect, test } from 'vitest';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';
import { FaultyLogCluster } from '../support/log-faults.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const SCHEDULES = Number(process.env['SCHEDULES'] ?? 100);
const PER_CLUSTER = 10;
const STEPS = 6;

const seed = printedSeed('log faults');
const firsts = Array.from({ length: Math.ceil(SCHEDULES / PER_CLUSTER) }, (_, n) => n * PER_CLUSTER);

test.skipIf(process.platform !== 'linux' || !hasNatsServer()).for(firsts)(
  'ten schedules from %i on: with one machine or zone away nothing acknowledged is lost or doubled, and every question is answered',
  { timeout: PER_CLUSTER * 600_000 },
  async (first) => {
    await using cluster = await FaultyLogCluster.open(1 + ((first / PER_CLUSTER) % 2));
    const random = createRandom(seed + first);
    const last = Math.min(first + PER_CLUSTER, SCHEDULES);
    for (let schedule = first; schedule < last; schedule++) {
      cluster.events.length = 0;
      await cluster.run(random, STEPS).catch((error: unknown) => {
        // At once: the run may go on for an hour.
        process.stdout.write(
          `log faults: schedule ${schedule + 1} FAILED: ${cluster.events.join(', ')}: ${String(error)}\n`,
        );
        throw new Error(`schedule ${schedule + 1}: ${cluster.events.join(', ')}`, { cause: error });
      });
      const shown = JSON.stringify({ ...cluster.counts, resumedMs: cluster.resumedMs });
      process.stdout.write(`log faults: schedule ${schedule + 1} of ${SCHEDULES}, ${shown}\n`);
    }
    await cluster.checkAll();
    expect(cluster.counts.acknowledged).toBeGreaterThan(last - first);
  },
);
