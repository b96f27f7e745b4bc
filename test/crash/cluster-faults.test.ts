// Many schedules of faults on a cluster of real processes: SCHEDULES says how many (200), SEED repeats one run.
import { expect, test } from 'vitest';
import { FaultyCluster } from '../support/cluster-faults.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const SCHEDULES = Number(process.env['SCHEDULES'] ?? 200);
const STEPS = 8;

test.skipIf(process.platform !== 'linux')(
  `${SCHEDULES} schedules of kills, stops and bad links lose nothing acknowledged, double nothing, and hide nothing`,
  { timeout: SCHEDULES * 120_000 },
  async () => {
    await using cluster = await FaultyCluster.open();
    const random = createRandom(printedSeed('cluster faults'));
    for (let schedule = 0; schedule < SCHEDULES; schedule++) {
      cluster.events.length = 0;
      await cluster.run(random, STEPS).catch((error: unknown) => {
        throw new Error(`schedule ${schedule}: ${cluster.events.join(', ')}`, { cause: error });
      });
      process.stdout.write(
        `cluster faults: schedule ${schedule + 1} of ${SCHEDULES}, ${JSON.stringify(cluster.counts)}\n`,
      );
    }
    await cluster.checkAll();
    expect(cluster.counts.acknowledged).toBeGreaterThan(SCHEDULES);
  },
);
