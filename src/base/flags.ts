// Command line and environment as in VictoriaMetrics: `-name=value`, `--name value`, `-boolean`, and with
// -envflag.enable the variables of the same names. Unknown, repeated or misplaced arguments are errors whose message
// says what to write instead; nothing is ignored. flag-value.ts parses the values.
import { parseArgs } from 'node:util';
import { StoreError } from './errors.ts';

/** The facts about a flag that this file needs. */
export interface FlagName {
  readonly name: string;
  readonly example: string;
  readonly isBoolean: boolean;
}

/** The text given for a flag and its source, for messages. */
export interface GivenFlag {
  readonly text: string;
  readonly source: string;
  /** The text as it was given, if the value came from a file or a variable that it names (flag-source.ts). */
  readonly written?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the arguments after the program's name into name → text. Throws CONFIG for the first argument that is not in
 * `known`, is given twice, lacks its value, or is not a flag.
 */
export function readArguments(argv: readonly string[], known: readonly FlagName[]): Map<string, GivenFlag> {
  const flags = new Map(known.map((flag) => [flag.name, flag]));
  const options = Object.fromEntries(
    known.map((flag) => [flag.name, { type: flag.isBoolean ? ('boolean' as const) : ('string' as const) }]),
  );
  // parseArgs accepts only double dashes for long names; with strict off it reports all arguments, to be checked here.
  const args = argv.map((arg) => (/^-[^-]/.test(arg) ? `-${arg}` : arg));
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const given = new Map<string, GivenFlag>();
  for (const token of tokens) {
    if (token.kind !== 'option') refuseArgument(token.kind === 'positional' ? token.value : '--');
    const flag = flags.get(token.name) ?? refuseUnknown(token.name, known);
    if (given.has(flag.name)) refuse(`flag -${flag.name} is given more than once; give it once`);
    const isMissing = token.value === undefined || (!token.inlineValue && token.value.startsWith('-'));
    if (isMissing && !flag.isBoolean) refuse(`flag -${flag.name} needs a value, for example ${flag.example}`);
    given.set(flag.name, { text: token.value ?? 'true', source: `flag -${flag.name}` });
  }
  return given;
}

/**
 * Adds flags from the environment; the command line wins. A variable's name is `prefix` and the flag's name with `_`
 * for every dot. A variable that is set but empty is a value; other variables are ignored.
 */
export function addEnvironment(
  given: Map<string, GivenFlag>,
  known: readonly FlagName[],
  env: Environment,
  prefix: string,
): void {
  for (const { name } of known) {
    const variable = prefix + name.replaceAll('.', '_');
    const text = env[variable];
    if (text !== undefined && !given.has(name)) given.set(name, { text, source: `environment variable ${variable}` });
  }
}

/** The known name most similar to `name`, or undefined when none is similar. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  // With a third of the letters wrong a name is still recognisable; a more distant suggestion misleads.
  let distanceMax = Math.max(2, Math.floor(wanted.length / 3));
  let nearest = known.find((other) => wanted !== '' && other.toLowerCase().split('.').at(-1) === wanted);
  for (const other of nearest === undefined ? known : []) {
    const distance = editDistance(wanted, other.toLowerCase());
    if (distance > distanceMax) continue;
    distanceMax = distance - 1;
    nearest = other;
  }
  return nearest;
}

/** Levenshtein distance (insertions, deletions, replacements), one row at a time. Names are short; cost is n × m. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function refuseUnknown(name: string, known: readonly FlagName[]): never {
  const shown = JSON.stringify(name.slice(0, 60)).slice(1, -1);
  const nearest = nearestName(
    name.slice(0, 60),
    known.map((flag) => flag.name),
  );
  refuse(`unknown flag -${shown}; ${nearest === undefined ? '' : `did you mean -${nearest}? `}-help lists every flag`);
}

function refuseArgument(argument: string): never {
  const shown = JSON.stringify(argument.slice(0, 60));
  refuse(`unexpected argument ${shown}; a flag is written -name=value, -help lists every flag`);
}

function refuse(message: string): never {
  throw new StoreError('CONFIG', message);
}
