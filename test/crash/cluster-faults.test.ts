// Many schedules of faults on a cluster of real processes; SEED repeats one run.
import { expect, test } from 'vitest';
import { FaultyCluster } from '../support/cluster-faults.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const SCHEDULES = 200;
const STEPS = 8;

test.skipIf(process.platform !== 'linux')(
  `${SCHEDULES} schedules of kills, stops and bad links lose nothing acknowledged, double nothing, and hide nothing`,
  { timeout: 4 * 3_600_000 },
  async () => {
    await using cluster = await FaultyCluster.open();
    const random = createRandom(printedSeed('cluster faults'));
    for (let schedule = 0; schedule < SCHEDULES; schedule++) {
      cluster.events.length = 0;
      await cluster.run(random, STEPS).catch((error: unknown) => {
        throw new Error(`schedule ${schedule}: ${cluster.events.join(', ')}`, { cause: error });
      });
    }
    process.stdout.write(`cluster faults: ${JSON.stringify(cluster.counts)}\n`);
    expect(cluster.counts.acknowledged).toBeGreaterThan(SCHEDULES);
  },
);
