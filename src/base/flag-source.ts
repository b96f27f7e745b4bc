// Where the value of a flag comes from besides its own text, as in VictoriaMetrics: `%{NAME}` is replaced by an environment
// variable, and `file:///path` (or `file://relative`) by what the file has, without the white space at its end. It works for
// every flag and is done once, at the start, except for lists of nodes, whose files are read again while the process runs. A value that came this way is never shown: only the text as written is.
import { StoreError } from './errors.ts';
import type { Environment, GivenFlag } from './flags.ts';

const FILE = 'file://';

/**
 * Returns `given` with its value in place; without `readText`, a file stays what is written. Throws CONFIG, naming the variable
 * or the file, never their content.
 */
export function resolveFlag(given: GivenFlag, env: Environment, readText?: (path: string) => string): GivenFlag {
  const { text: written, source } = given;
  const replaced = written.replace(/%\{([^{}]*)\}/g, (_placeholder, name: string) => {
    const value = env[name];
    if (value !== undefined) return value;
    throw new StoreError('CONFIG', `${source}: the environment variable ${JSON.stringify(name)} in it is not set`);
  });
  const isRead = readText !== undefined && replaced.startsWith(FILE);
  const text = isRead ? readFile(replaced.slice(FILE.length), source, readText) : replaced;
  return text === written ? given : { text, source, written };
}

function readFile(path: string, source: string, readText: (path: string) => string): string {
  try {
    return readText(path).trimEnd();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('CONFIG', `${source}: cannot read its value from ${path}: ${reason}`, { cause });
  }
}
