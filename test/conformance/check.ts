// One check of the contract as one test, named by its id and text, so that the reporter can count them
// (test/support/conformance-count.ts). A check that cannot run here is skipped under its name, with its reason in
// docs/conformance.md.
import { test } from 'vitest';
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

/** A check that no test of this repository can make. */
export function cannotCheck(id: CheckId): void {
  check(id, () => undefined, { canRun: false });
}
