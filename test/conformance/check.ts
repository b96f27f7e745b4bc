// One check of the contract as one test, named by its id and text, so that the reporter can count them
// (test/support/conformance-count.ts). A check that cannot run here is skipped under its name, with its reason in
// docs/conformance.md.
import { describe, test } from 'vitest';
import { CHECKS, type CheckId } from './checks.ts';

export interface CheckOptions {
  /** False where something outside the repository is missing (a corpus, a UI build). */
  readonly canRun?: boolean;
  readonly timeoutMs?: number;
}

export function check(id: CheckId, run: () => void | Promise<void>, options: CheckOptions = {}): void {
  const { canRun = true, timeoutMs = 30_000 } = options;
  test.skipIf(!canRun)(`${id} ${CHECKS[id]}`, { timeout: timeoutMs }, run);
}

/** A check of several tests, which are defined in `define`; it is green when all of them are. */
export function checkGroup(id: CheckId, options: CheckOptions, define: () => void): void {
  const { canRun = true, timeoutMs = 30_000 } = options;
  describe.skipIf(!canRun)(`${id} ${CHECKS[id]}`, { timeout: timeoutMs }, () => {
    define();
  });
}

/** A check that no test of this repository can make. */
export function cannotCheck(id: CheckId): void {
  check(id, () => undefined, { canRun: false });
}
