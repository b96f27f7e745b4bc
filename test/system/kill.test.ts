// The first rounds of test/crash/kill.test.ts, so that no change passes the normal tests that loses data in a crash.
import { expect, test } from 'vitest';
import { runKillScenario } from '../support/kill-scenario.ts';
import { printedSeed } from '../support/random-request.ts';

// Some ten seconds on an idle machine; the rest is patience with a busy one.
test('three kills under load lose nothing acknowledged', { timeout: 120_000 }, async () => {
  await runKillScenario({ rounds: 3, seed: printedSeed('kill'), print: () => undefined });
  expect.hasAssertions();
});
