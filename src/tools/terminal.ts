// Where a tool prints. main.ts passes the process's streams, tests pass a list.

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Progress and problems. */
  readonly err: (text: string) => void;
  /** Whether a person watches err: then progress is one line that changes. */
  readonly isInteractive: boolean;
}

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
