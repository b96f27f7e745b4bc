// One schedule of faults on a cluster with a log, so that every run tries some; test/crash/log-faults.test.ts has the many.
import { expect, test } from 'vitest';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';
import { FaultyLogCluster } from '../support/log-faults.ts';
import { createRandom } from '../support/random-request.ts';

const STEPS = 5;
/** Always the same faults: the random ones are left to test:crash. */
const SEED = 1_932_626_124;

test.skipIf(process.platform !== 'linux' || !hasNatsServer())(
  'with one machine or zone away nothing acknowledged is lost or doubled, and every question is answered',
  { timeout: 900_000 },
  async () => {
    await using cluster = await FaultyLogCluster.open(1);
    const random = createRandom(SEED);
    await cluster.run(random, STEPS).catch((error: unknown) => {
      throw new Error(cluster.events.join(', '), { cause: error });
    });
    process.stdout.write(`log faults: ${JSON.stringify({ ...cluster.counts, resumedMs: cluster.resumedMs })}\n`);
    expect(cluster.counts.acknowledged).toBeGreaterThan(0);
  },
);
