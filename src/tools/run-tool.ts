// The program's other commands, for operators: their names, arguments and exit codes.
import { isStoreError, StoreError } from '../base/errors.ts';
import { acceptLoss } from './accept-loss.ts';
import { doctor, DOCTOR_HELP, type Program } from './doctor.ts';
import { inspect } from './inspect.ts';
import { move, MOVE_HELP } from './move.ts';
import { makePassword, makeToken } from './make-credential.ts';
import { rebuildIndexes } from './rebuild-index.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, type Terminal } from './terminal.ts';
import { sync, SYNC_HELP } from './sync.ts';
import { verify } from './verify.ts';

interface Tool {
  readonly usage: string;
  readonly help: string;
  /** Returns the exit code. Throws StoreError. */
  readonly run: (args: readonly string[], terminal: Terminal, program: Program) => number | Promise<number>;
}

const TOOLS: Readonly<Record<string, Tool>> = {
  verify: {
    usage: 'verify <dir>',
    help:
      'Reads a data directory, partition, snapshot, backup or part and checks every checksum. Names what is damaged.\n' +
      'Safe beside a running node on snapshots and backups; refuses the data directory of a running node.\n' +
      'Exit code: 0 intact, 1 damaged or not checked, 2 wrong usage.\n',
    run: (args, terminal) => verify(onlyArgument(args), terminal),
  },
  inspect: {
    usage: 'inspect <part> [-blocks]',
    help:
      'Shows what a part is made of: its blocks, and every column with its encodings, raw and stored bytes and bytes a\n' +
      'span, added up over the blocks; with -blocks also block by block. Safe beside a running node.\n' +
      'Columns of one compressed frame share its stored bytes by their raw bytes.\n',
    run: (args, terminal) => {
      const isBlocks = (arg: string): boolean => /^--?blocks$/.test(arg);
      return inspect(onlyArgument(args.filter((arg) => !isBlocks(arg))), args.some(isBlocks), terminal);
    },
  },
  'accept-loss': {
    usage: 'accept-loss <dir>',
    help:
      'Names what a partition, or every partition of a data directory, has lost, and forgets it: answers warn of it no longer.\n' +
      'The node must be stopped; of a running one ask POST /internal/partition/accept_loss. Restore first what can be restored.\n',
    run: (args, terminal) => acceptLoss(onlyArgument(args), terminal),
  },
  doctor: { usage: 'doctor [flags]', help: DOCTOR_HELP, run: doctor },
  move: { usage: 'move --from URL --data DIR [options]', help: MOVE_HELP, run: move },
  sync: { usage: 'sync --from URL [options]', help: SYNC_HELP, run: sync },
  token: {
    usage: 'token <name> [-scopes=ingest,query,admin] [-tenants=0:0,…|*] [-days=N]',
    help:
      'Makes a bearer token and prints it, once, and the entry with its hash for the file of -auth.config.\n' +
      'Without options it may send spans of the default tenant, and does not expire.\n',
    run: (args, terminal) => makeToken(args, terminal),
  },
  password: {
    usage: 'password <user> [-scopes=ingest,query,admin] [-tenants=0:0,…|*] [-days=N]',
    help: 'Makes a password for a user and prints it, once, and the entry with its hash for the file of -auth.config.\n',
    run: (args, terminal) => makePassword(args, terminal),
  },
  'rebuild-index': {
    usage: 'rebuild-index <dir>',
    help:
      'Writes the index of a partition, or of every partition of a data directory, anew from its parts.\n' +
      'The node must be stopped. The old index goes to quarantine/.\n',
    run: (args, terminal) => rebuildIndexes(onlyArgument(args), terminal),
  },
};

/** For tools that read no flags. */
const NO_PROGRAM: Program = {
  version: 'unknown',
  parseConfig: () => {
    throw new StoreError('CONFIG', 'this tool reads the flags of the server, and was started without them');
  },
};

/** Whether the program's first argument names a tool; otherwise it is a flag of the server. */
export function isTool(name: string | undefined): name is string {
  return name !== undefined && Object.hasOwn(TOOLS, name);
}

/** Names of the tools. */
export const TOOL_NAMES: readonly string[] = Object.keys(TOOLS);

/** The tools' part of -help. */
export function toolsHelp(): string {
  return `Tools: ${Object.values(TOOLS)
    .map(({ usage }) => usage)
    .join(', ')}; each says more with -help.\nAlso: completion bash, completion zsh; help, version.\n`;
}

/** Runs the tool `name`; the exit code, promised by tools that call a running node. Prints a StoreError; throws bugs. */
export function runTool(
  name: string,
  args: readonly string[],
  terminal: Terminal,
  program: Program = NO_PROGRAM,
): number | Promise<number> {
  const tool = TOOLS[name]!;
  if (args.some((arg) => /^--?h(elp)?$/.test(arg))) {
    terminal.out(`tracelith ${tool.usage}\n${tool.help}`);
    return EXIT_OK;
  }
  const fail = (error: unknown): number => {
    if (!isStoreError(error)) throw error;
    terminal.err(`tracelith ${name}: ${error.message}\n`);
    return error.code === 'CONFIG' ? EXIT_USAGE : EXIT_FAILED;
  };
  try {
    const result = tool.run(args, terminal, program);
    return typeof result === 'number' ? result : result.catch(fail);
  } catch (error) {
    return fail(error);
  }
}

function onlyArgument(args: readonly string[]): string {
  const [path, ...more] = args;
  if (path === undefined) throw new StoreError('CONFIG', 'a directory is missing');
  const wrong = [path, ...more].find((arg) => arg.startsWith('-')) ?? more[0];
  if (wrong !== undefined) throw new StoreError('CONFIG', `${wrong}: expected one directory and nothing else`);
  return path;
}
