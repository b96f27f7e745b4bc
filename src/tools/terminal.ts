// What a tool sees of the world: where it prints. main.ts gives it the process's streams, tests a list.

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Progress and problems. */
  readonly err: (text: string) => void;
  /** Whether err is looked at by a person: then progress is one line that changes. */
  readonly isInteractive: boolean;
}

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
