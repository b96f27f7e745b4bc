// One check of the contract as one test, named by its id and text, so that the reporter can count them
// (test/support/conformance-count.ts). A check that cannot run here is skipped under its name, with its reason in
// docs/conformance.md.
import { describe, test } from 'vitest';
import { isThroughCluster } from '../support/cluster-front.ts';
import { CHECKS, type CheckId } from './checks.ts';

export interface CheckOptions {
  /** False where something outside the repository is missing (a corpus, a UI build). */
  readonly canRun?: boolean;
  readonly timeoutMs?: number;
}

/** Checks that are made of one node alone, not through a cluster, and why. */
const OF_ONE_NODE: Partial<Readonly<Record<CheckId, string>>> = {
  A5: 'detaches a day of one node, so that it refuses',
  D15: 'starts another node on the same directory',
  G6: 'a select node takes no spans, so its health does not know TraceWriter',
  G11: 'only a node itself removes all that it keeps',
  H13: 'kills the one process',
};

/** A restart of a cluster is one of eight processes. */
const PATIENCE = isThroughCluster ? 10 : 1;

function canRunHere(id: CheckId, canRun: boolean): boolean {
  return canRun && !(isThroughCluster && id in OF_ONE_NODE);
}

export function check(id: CheckId, run: () => void | Promise<void>, options: CheckOptions = {}): void {
  const { canRun = true, timeoutMs = 30_000 } = options;
  const timeout = timeoutMs * PATIENCE;
  test.skipIf(!canRunHere(id, canRun))(`${id} ${CHECKS[id]}`, { timeout }, run);
}

/** A check of several tests, which are defined in `define`; it is green when all of them are. */
export function checkGroup(id: CheckId, options: CheckOptions, define: () => void): void {
  const { canRun = true, timeoutMs = 30_000 } = options;
  const timeout = timeoutMs * PATIENCE;
  describe.skipIf(!canRunHere(id, canRun))(`${id} ${CHECKS[id]}`, { timeout }, () => {
    define();
  });
}

/** A check that no test of this repository can make. */
export function cannotCheck(id: CheckId): void {
  check(id, () => undefined, { canRun: false });
}
