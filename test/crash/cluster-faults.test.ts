// Many schedules of faults on clusters of real processes: SCHEDULES says how many (200), ten to a cluster; SEED repeats one run.
import { expect, test } from 'vitest';
import { FaultyCluster } from '../support/cluster-faults.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const SCHEDULES = Number(process.env['SCHEDULES'] ?? 200);
const PER_CLUSTER = 10;
const STEPS = 8;

const seed = printedSeed('cluster faults');
const firsts = Array.from({ length: Math.ceil(SCHEDULES / PER_CLUSTER) }, (_, n) => n * PER_CLUSTER);

test.skipIf(process.platform !== 'linux').for(firsts)(
  'ten schedules from %i on: kills, stops, wrong clocks, full disks, bad links and changing lists lose, double and hide nothing',
  { timeout: PER_CLUSTER * 300_000 },
  async (first) => {
    await using cluster = await FaultyCluster.open();
    const random = createRandom(seed + first);
    const last = Math.min(first + PER_CLUSTER, SCHEDULES);
    for (let schedule = first; schedule < last; schedule++) {
      cluster.events.length = 0;
      await cluster.run(random, STEPS).catch((error: unknown) => {
        throw new Error(`schedule ${schedule}: ${cluster.events.join(', ')}`, { cause: error });
      });
      const counts = JSON.stringify(cluster.counts);
      process.stdout.write(`cluster faults: schedule ${schedule + 1} of ${SCHEDULES}, ${counts}\n`);
    }
    await cluster.checkAll();
    expect(cluster.counts.acknowledged).toBeGreaterThan(last - first);
  },
);
