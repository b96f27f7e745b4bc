// The promise "acknowledged means durable and visible", shown on the real process: kill -9 under load, fifty times over.
import { expect, test } from 'vitest';
import { runKillScenario } from '../support/kill-scenario.ts';
import { printedSeed } from '../support/random-request.ts';

const ROUNDS = 50;

test(`${ROUNDS} kills under load lose nothing acknowledged, double nothing, and the ledger balances`, async () => {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  await runKillScenario({ rounds: ROUNDS, seed: printedSeed('kill'), print });
  expect.hasAssertions();
});
