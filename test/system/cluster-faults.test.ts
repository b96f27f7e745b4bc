// One schedule of faults, so that every run tries some; test/crash/cluster-faults.test.ts has the many.
import { expect, test } from 'vitest';
import { FaultyCluster } from '../support/cluster-faults.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const STEPS = 8;

test.skipIf(process.platform !== 'linux')(
  'nothing acknowledged is lost, doubled or silently left out while nodes and links fail',
  { timeout: 600_000 },
  async () => {
    await using cluster = await FaultyCluster.open();
    const random = createRandom(printedSeed('cluster faults'));
    await cluster.run(random, STEPS).catch((error: unknown) => {
      throw new Error(cluster.events.join(', '), { cause: error });
    });
    process.stdout.write(`cluster faults: ${JSON.stringify(cluster.counts)}\n`);
    const { acknowledged, refused } = cluster.counts;
    expect(acknowledged + refused).toBe(3 * STEPS);
  },
);
