// Flags, environment and a file → one frozen Config. The tables of flags/ hold every setting of the program once, with its unit,
// default and reason; the names are VictoriaTraces' where it has the flag. Nothing else reads process.argv or process.env.
import { readFileSync, statSync } from 'node:fs';
import { isStoreError, StoreError } from './base/errors.ts';
import type { Flag, FlagRow } from './base/flag-row.ts';
import { addFile, FLAG_FILE_BYTES_MAX } from './base/flag-file.ts';
import { resolveFlag } from './base/flag-source.ts';
import { hideLogins } from './base/url-login.ts';
import { addEnvironment, readArguments, type Environment, type GivenFlag } from './base/flags.ts';
import { accessFlags } from './flags/access-flags.ts';
import { clusterFlags } from './flags/cluster-flags.ts';
import { httpFlags } from './flags/http-flags.ts';
import { ingestFlags } from './flags/ingest-flags.ts';
import { logFlags } from './flags/log-flags.ts';
import { processFlags } from './flags/process-flags.ts';
import { pushFlags } from './flags/push-flags.ts';
import { searchFlags } from './flags/search-flags.ts';
import { storageFlags } from './flags/storage-flags.ts';
import { tlsFlags } from './flags/tls-flags.ts';

export { parseBytes, parseDurationMs } from './base/flag-value.ts';

const flags = {
  ...storageFlags,
  ...ingestFlags,
  ...searchFlags,
  ...httpFlags,
  ...accessFlags,
  ...clusterFlags,
  ...logFlags,
  ...tlsFlags,
  ...pushFlags,
  ...processFlags,
} as const;

/** HTTP ports of the roles of a cluster. */
const INSERT_PORT = 10_481;
const SELECT_PORT = 10_471;

/** A flag's value as /flags may show it: secrets masked. */
export interface ShownFlag {
  readonly name: string;
  readonly value: string;
  readonly isSet: boolean;
}

/** All settings of one process, frozen. Keys, units and reasons: the table above. */
export type Config = { readonly [K in keyof typeof flags]: ReturnType<(typeof flags)[K]['parse']> } & {
  /** Every flag with its text, by group, for /flags. */
  readonly shownFlags: readonly ShownFlag[];
};

/** Every flag, grouped, in the order of help and docs. */
export const flagTable: readonly FlagRow[] = Object.values(flags).map((entry) => entry.row);

/** These say how the process begins; a file or a variable cannot. */
const COMMAND_LINE_ONLY: ReadonlySet<string> = new Set(['envflag.enable', 'envflag.prefix', 'version', 'help']);

/**
 * Reads the arguments after the program's name, then the environment if -envflag.enable is given, then the file of -config:
 * what comes first wins. Throws CONFIG with one line that says which flag is wrong, what was expected and what was found; a
 * secret's value is never part of it.
 */
export function parseConfig(
  argv: readonly string[] = process.argv.slice(2),
  env: Environment = process.env,
  readFile: (path: string) => string = readFlagFile,
): Config {
  const given = readArguments(argv, flagTable);
  resolveAll(given, env);
  const elsewhere = flagTable.filter(({ name }) => !COMMAND_LINE_ONLY.has(name));
  if (valueOf(flags.envflagEnable, given)) {
    const prefix = valueOf(flags.envflagPrefix, given);
    addEnvironment(given, elsewhere, env, prefix);
    resolveAll(given, env);
  }
  const path = valueOf(flags.configFile, given);
  if (path !== '') {
    const inFile = elsewhere.filter(({ name }) => name !== flags.configFile.row.name);
    addFile(given, inFile, { path, text: readGivenFile(path, readFile) });
    resolveAll(given, env);
  }
  const values = Object.entries(flags).map(([key, entry]) => [key, valueOf<unknown>(entry, given)] as const);
  refuseTwoLimits(given);
  refuseLateStop(given);
  refuseIdleRole(given);
  refuseLoneUiConfig(given);
  refuseLoneLog(given);
  const shownFlags = Object.freeze(Object.values(flags).map((entry) => showFlag(entry, given)));
  return Object.freeze({ ...Object.fromEntries(values), ...addressOfRole(given), shownFlags }) as Config;
}

/** A node that only inserts, or only selects, has VictoriaTraces' port of its role, unless another is given. */
function addressOfRole(given: ReadonlyMap<string, GivenFlag>): object {
  const { storageNodes, isInsertOff, isSelectOff, httpListenAddr } = flags;
  if (given.has(httpListenAddr.row.name) || valueOf(storageNodes, given).length === 0) return {};
  const [insertOff, selectOff] = [valueOf(isInsertOff, given), valueOf(isSelectOff, given)];
  if (insertOff === selectOff) return {};
  return { httpListenAddr: httpListenAddr.parse(`127.0.0.1:${insertOff ? SELECT_PORT : INSERT_PORT}`) };
}

/** Puts values from files and variables in place; those that are in place already stay. */
function resolveAll(given: Map<string, GivenFlag>, env: Environment): void {
  const readText = (path: string): string => readFileSync(path, 'utf8');
  const keepsFiles = new Set(flagTable.filter((row) => row.keepsFiles).map((row) => row.name));
  for (const [name, flag] of given) {
    if (flag.written === undefined)
      given.set(name, resolveFlag(flag, env, keepsFiles.has(name) ? undefined : readText));
  }
}

/**
 * The command line with secrets masked, for the title of the process, which every user of the machine can read; undefined if
 * there is none on it.
 */
export function maskedArguments(argv: readonly string[] = process.argv.slice(2)): string[] | undefined {
  const secrets = new Set(flagTable.filter((row) => row.isSecret).map((row) => row.name));
  let isValue = false;
  let hasSecret = false;
  const masked = argv.map((arg) => {
    const [, dashes = '', name = '', rest] = /^(--?)([^=]+)(=.*)?$/s.exec(arg) ?? [];
    const isMasked = isValue || (secrets.has(name) && rest !== undefined);
    isValue = !isValue && secrets.has(name) && rest === undefined;
    hasSecret ||= isMasked;
    if (!isMasked) return arg;
    return rest !== undefined && secrets.has(name) ? `${dashes}${name}=secret` : 'secret';
  });
  return hasSecret ? masked : undefined;
}

function readFlagFile(path: string): string {
  if (statSync(path).size > FLAG_FILE_BYTES_MAX) throw new Error(`more than ${FLAG_FILE_BYTES_MAX} bytes`);
  return readFileSync(path, 'utf8');
}

function readGivenFile(path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const way = 'name a YAML file with lines such as `retentionPeriod: 30d`';
    throw new StoreError('CONFIG', `-${flags.configFile.row.name}=${path}: cannot be read: ${reason}; ${way}`, {
      cause,
    });
  }
}

/** Two limits on the same thing would leave it open which of them dropped what. */
function refuseTwoLimits(given: ReadonlyMap<string, GivenFlag>): void {
  const { diskBytesMax, diskPercentMax } = flags;
  if (valueOf(diskBytesMax, given) === 0 || valueOf(diskPercentMax, given) === 0) return;
  const [bytesName, percentName] = [diskBytesMax.row.name, diskPercentMax.row.name];
  throw new StoreError('CONFIG', `-${bytesName} and -${percentName} exclude each other; remove one of them`);
}

/** Requests that may take longer than the whole stop would be cut off, against what the other flag promises. */
function refuseLateStop(given: ReadonlyMap<string, GivenFlag>): void {
  const { shutdownMaxMs, stopMaxMs } = flags;
  if (valueOf(shutdownMaxMs, given) <= valueOf(stopMaxMs, given)) return;
  const [requestsName, stopName] = [shutdownMaxMs.row.name, stopMaxMs.row.name];
  throw new StoreError('CONFIG', `-${requestsName} is longer than -${stopName}, which it is a part of; set both`);
}

/** A node that serves nothing would start, look healthy, and do nothing. */
function refuseIdleRole(given: ReadonlyMap<string, GivenFlag>): void {
  const { isInsertOff, isSelectOff, storageListenAddr } = flags;
  if (!valueOf(isInsertOff, given) || !valueOf(isSelectOff, given)) return;
  if (valueOf(storageListenAddr, given) !== undefined) return;
  throw new StoreError('CONFIG', '-insert.disable and -select.disable leave nothing to serve: set -storage.listenAddr');
}

/** Without the UI, its configuration would be ignored. */
function refuseLoneUiConfig(given: ReadonlyMap<string, GivenFlag>): void {
  const { jaegerUiConfig, jaegerUiDir } = flags;
  if (valueOf(jaegerUiConfig, given) === '' || valueOf(jaegerUiDir, given) !== '') return;
  const [configName, dirName] = [jaegerUiConfig.row.name, jaegerUiDir.row.name];
  throw new StoreError('CONFIG', `-${configName} is of no use without -${dirName}; set both`);
}

/** A log that nobody reads or writes, and a reader of none. */
function refuseLoneLog(given: ReadonlyMap<string, GivenFlag>): void {
  const { ingestLog, logNodes, logSyncFrom, storageNodes } = flags;
  const [hasLog, nodes, hasNodes] = [
    valueOf(ingestLog, given),
    valueOf(logNodes, given),
    valueOf(storageNodes, given).length,
  ];
  if (nodes > 0 && hasLog === undefined)
    throw new StoreError('CONFIG', `-${logNodes.row.name} is of no use without -${ingestLog.row.name}; set both`);
  if (nodes === 0 && valueOf(logSyncFrom, given).length > 0)
    throw new StoreError('CONFIG', `-${logSyncFrom.row.name} is of no use without -${logNodes.row.name}; set both`);
  if (hasLog === undefined || nodes > 0 !== hasNodes > 0) return;
  const who = `-${storageNodes.row.name} (this is an insert or select node) or -${logNodes.row.name} (a storage node)`;
  throw new StoreError('CONFIG', `-${ingestLog.row.name} needs one of ${who}`);
}

/** Flags that a running process takes over when it reads its sources again (SIGHUP). */
const RELOADED = ['searchMaxMs', 'searchBytesMax', 'slowQueryMs'] as const satisfies readonly (keyof typeof flags)[];
export type Reloaded = Pick<Config, (typeof RELOADED)[number]>;

export interface ConfigChange {
  /** Names of flags that have another value and can be taken over; then of those that need a restart. */
  readonly taken: readonly string[];
  readonly left: readonly string[];
}

/** What has changed between two configurations of one process. */
export function compareConfigs(before: Config, after: Config): ConfigChange {
  const keys = Object.keys(flags) as (keyof typeof flags)[];
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const isTaken = (key: keyof typeof flags): boolean => (RELOADED as readonly string[]).includes(key);
  const namesOf = (some: readonly (keyof typeof flags)[]): string[] => some.map((key) => flags[key].row.name);
  return { taken: namesOf(changed.filter(isTaken)), left: namesOf(changed.filter((key) => !isTaken(key))) };
}

/** The program's first argument, which names a tool or begins a flag, and those behind it. */
export function splitArguments(argv: readonly string[] = process.argv.slice(2)): {
  readonly first: string | undefined;
  readonly rest: readonly string[];
} {
  return { first: argv[0], rest: argv.slice(1) };
}

function valueOf<T>(entry: Flag<T>, given: ReadonlyMap<string, GivenFlag>): T {
  const found = given.get(entry.row.name);
  try {
    return entry.parse(found?.text ?? entry.default);
  } catch (error) {
    if (!isStoreError(error, 'CONFIG')) throw error;
    const isHidden = entry.row.isSecret || found?.written !== undefined;
    // The message ends with what was found.
    const message = isHidden ? error.message.replace(/, got ".*$/s, '') : hideLogins(error.message);
    const source = found?.source ?? `default of -${entry.row.name}`;
    throw new StoreError('CONFIG', `${source}: ${message}`, message === error.message ? { cause: error } : {});
  }
}

function showFlag(entry: Flag<unknown>, given: ReadonlyMap<string, GivenFlag>): ShownFlag {
  const { name, isSecret } = entry.row;
  const { written, text = entry.default } = given.get(name) ?? {};
  return Object.freeze({ name, value: isSecret ? 'secret' : (written ?? text), isSet: given.has(name) });
}

/** What -help prints: every flag with its unit, default and meaning. */
export function helpText(): string {
  const lines = ['Tracelith stores distributed traces: OpenTelemetry in, Jaeger out.', ''];
  lines.push('Flags, with one dash or two, as -name=value or -name value:');
  for (const row of flagTable) {
    const isText = row.default === '' || row.unit === 'text';
    lines.push(
      '',
      `  -${row.name} ${row.isBoolean ? '' : `<${row.unit}> `}(default ${isText ? `"${row.default}"` : row.default})`,
    );
    lines.push(`      ${row.meaning.replaceAll('`', '')}`);
  }
  return `${lines.join('\n')}\n`;
}
