// Assertions of this program's own invariants. No code may swallow a BugError: the top of a request or worker logs and
// counts it and, in storage code, ends the process.

/** Thrown when this program broke one of its own invariants; the message always begins with "BUG: ". */
export class BugError extends Error {
  constructor(message: string) {
    super(`BUG: ${message}`);
    this.name = 'BugError';
  }
}

/** Throws BugError with `message` unless `condition` holds. For our bugs only: bad input gets a StoreError. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}
