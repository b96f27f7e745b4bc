// Files that operators replace while the process runs: certificates, lists of tokens, limits of tenants. They are looked at every
// few seconds, which also sees the swapped links of mounted Kubernetes secrets, where a watch by the system sees nothing.
import { readFileSync, statSync } from 'node:fs';

/** Between two looks, as VictoriaMetrics' once a second, but less often: each costs some 20 µs a file. */
const LOOK_MS = 2_000;

export interface WatchedFilesOptions {
  readonly paths: readonly string[];
  /** Takes the texts of `paths`, in their order. What it throws is reported, and what was taken before stays in use. */
  readonly onChange: (texts: readonly string[]) => void;
  /** Gets what onChange has thrown, or why a file cannot be read; once for each state of the files. */
  readonly onError: (error: unknown) => void;
  readonly lookMs?: number;
}

export interface WatchedFiles extends Disposable {
  /** Looks now, as it does by itself every few seconds. */
  look(): void;
}

/** Reads the files once, at once; throws what that throws. Then calls onChange whenever one has changed, until it is disposed. */
export function watchFiles({ paths, onChange, onError, lookMs = LOOK_MS }: WatchedFilesOptions): WatchedFiles {
  const read = (): void => onChange(paths.map((path) => readFileSync(path, 'utf8')));
  let seen = stateOf(paths);
  read();
  const look = (): void => {
    const now = stateOf(paths);
    if (now === seen) return;
    seen = now;
    try {
      read();
    } catch (error) {
      onError(error);
    }
  };
  const timer = setInterval(look, lookMs).unref();
  return { look, [Symbol.dispose]: () => clearInterval(timer) };
}

/** Changes whenever a file is written, replaced, removed or added. */
function stateOf(paths: readonly string[]): string {
  const states = paths.map((path) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? '-' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  });
  return states.join('\n');
}
