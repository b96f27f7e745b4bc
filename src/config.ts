// Flags and environment → one frozen Config. Every setting of the program stands here once, with its unit, default and
// reason; the names are VictoriaTraces' where it has the flag. Nothing else reads process.argv or process.env.
import { availableParallelism } from 'node:os';
import { isStoreError, StoreError } from './base/errors.ts';
import {
  boolean,
  bytes,
  choice,
  count,
  duration,
  hostNames,
  listenAddress,
  optionalListenAddress,
  origins,
  path,
  text,
  urlPrefix,
} from './base/flag-value.ts';
import { flag, type Flag, type FlagRow } from './base/flag-row.ts';
import { addEnvironment, readArguments, type Environment, type GivenFlag } from './base/flags.ts';
import { limits } from './base/limits.ts';
import { LOG_FORMATS, LOG_LEVELS } from './base/logger.ts';

export { parseBytes, parseDurationMs } from './base/flag-value.ts';

function authKey(name: string, meaning: string): Flag<string> {
  return flag('http', name, text, {
    default: '',
    meaning: `Key that ${meaning} must carry as \`authKey=…\`; empty asks for none.`,
    reason: 'The default listener is on loopback, where a key would protect nothing.',
    example: `-${name}=3f9c1e`,
    isSecret: true,
  });
}

const cores = availableParallelism();
/** Half of all that may be on its way in: a request that can never fit would be told to retry for ever. */
const requestBytesMost = `${limits.intakeBytesMax / 2 ** 21}MiB`;

const flags = {
  storageDataPath: flag('storage', 'storageDataPath', path, {
    default: 'tracelith-data',
    meaning: 'Directory that holds everything stored; created when absent, owned by one process at a time.',
    reason: 'A first start must work without a choice, and leave its data where one sees it.',
    example: '-storageDataPath=/var/lib/tracelith',
  }),
  retentionMs: flag('storage', 'retentionPeriod', duration({ min: '1d', max: '100y', bareMonths: true }), {
    default: '7d',
    meaning: 'Spans that started longer ago are rejected, and days that are wholly older are dropped.',
    reason: 'As in VictoriaTraces: traces are looked at within days.',
    example: '-retentionPeriod=30d',
  }),
  futureRetentionMs: flag('storage', 'futureRetention', duration({ min: '1d', max: '100y', bareMonths: true }), {
    default: '2d',
    meaning: 'Spans that start further in the future are rejected.',
    reason: 'As in VictoriaTraces: covers a clock in the wrong time zone, not one in the wrong year.',
    example: '-futureRetention=1d',
  }),
  diskBytesMax: flag('storage', 'retention.maxDiskSpaceUsageBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '0',
    meaning:
      'With more bytes stored the oldest days are dropped, and the oldest parts of a day that alone is too large. 0: no limit.',
    reason: 'Off as in VictoriaTraces: nobody should lose data by a limit they did not choose.',
    example: '-retention.maxDiskSpaceUsageBytes=200GiB',
  }),
  diskPercentMax: flag('storage', 'retention.maxDiskUsagePercent', count('percent', { min: 0, max: 100 }), {
    default: '0',
    meaning:
      "While the file system of -storageDataPath is fuller than this, including other programs' files, the oldest days before today are dropped. 0: no limit.",
    reason: 'Off as in VictoriaTraces. Not together with -retention.maxDiskSpaceUsageBytes.',
    example: '-retention.maxDiskUsagePercent=80',
  }),
  clockJumpGraceMs: flag('storage', 'retention.clockJumpGracePeriod', duration({ min: '0s', max: '30d' }), {
    default: '1h',
    meaning:
      'How long drops by age wait when the clock jumped ahead, or asks for several days at once. 0s: they do not wait.',
    reason: 'Long enough for an alert to be seen; a day kept an hour longer hurts nobody, a wrong clock loses all.',
    example: '-retention.clockJumpGracePeriod=6h',
  }),
  flushIntervalMs: flag('storage', 'inmemoryDataFlushInterval', duration({ min: '1s', max: '1h' }), {
    default: '10s',
    meaning:
      'How often the log is turned into parts. Spans are on disk and searchable before, from the acknowledgement on.',
    reason: "Twice VictoriaTraces' 5s: nothing is lost by waiting, and fewer, larger parts mean fewer merges.",
    example: '-inmemoryDataFlushInterval=5s',
  }),
  snapshotsMaxAgeMs: flag('storage', 'snapshotsMaxAge', duration({ min: '0s', max: '100y' }), {
    default: '3d',
    meaning: 'Snapshots on disk that are older are removed; 0s keeps them until they are deleted.',
    reason: 'As in VictoriaTraces: a forgotten snapshot keeps the disk from being freed by retention.',
    example: '-snapshotsMaxAge=12h',
  }),
  freeDiskBytesMin: flag('storage', 'storage.minFreeDiskSpaceBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '10MB',
    meaning:
      'With less free space on the disk of -storageDataPath, data is refused (429, Retry-After) until there is more.',
    reason: 'As in VictoriaTraces. Set it to about a tenth of the disk where merges of large days matter.',
    example: '-storage.minFreeDiskSpaceBytes=10GiB',
  }),
  archiveBytesMax: flag('storage', 'archive.maxDiskSpaceUsageBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '1GiB',
    meaning: 'Bytes of archived traces, which no retention drops; above it archiving is refused (413). 0: no archive.',
    reason:
      'Hundreds of thousands of usual traces: what people keep by hand, not what a script could fill a disk with.',
    example: '-archive.maxDiskSpaceUsageBytes=10GiB',
  }),
  mergeWorkers: flag('storage', 'mergeWorkers', count('threads', { min: 1, max: 64 }), {
    default: '1',
    meaning: 'Threads that merge parts.',
    reason: 'One keeps up with ingest on two cores, and more would take the core that answers.',
    example: '-mergeWorkers=2',
  }),
  operationsPerServiceMax: flag(
    'storage',
    'names.operationsPerServiceMax',
    count('names', { min: 1, max: 1_000_000 }),
    {
      default: '10000',
      meaning:
        'Operations listed of one service and day, each span kind counted. Others are listed as `…other`, and found by search under their own name.',
      reason: 'Ten times what is of use in a list; a service that names its spans by user or URL has as many as spans.',
      example: '-names.operationsPerServiceMax=2000',
    },
  ),
  servicesPerTenantMax: flag('storage', 'names.servicesPerTenantMax', count('names', { min: 1, max: 1_000_000 }), {
    default: '10000',
    meaning:
      'Services listed of one tenant and day. Others are listed as `…other`, and found by search under their own name.',
    reason: 'As many as the largest installations have.',
    example: '-names.servicesPerTenantMax=2000',
  }),
  requestBytesMax: flag(
    'ingest',
    'opentelemetry.traces.maxRequestSize',
    bytes({ min: '1KiB', max: requestBytesMost }),
    {
      default: '64MiB',
      meaning: 'Bytes of one OTLP request after decompression; a larger one is refused (413).',
      reason:
        'As in VictoriaTraces, and half of what may wait for the write thread, so that one request never fills it.',
      example: '-opentelemetry.traces.maxRequestSize=16MiB',
    },
  ),
  spanAttributesMax: flag(
    'ingest',
    'insert.maxAttributesPerSpan',
    count('attributes', { min: 1, max: limits.attributesPerSpanMost }),
    {
      default: '1024',
      meaning:
        'Attributes of one span, of each of its events and of each of its links; a span with more is rejected by name, the others are stored.',
      reason: 'Eight times the default of the SDKs, 128.',
      example: '-insert.maxAttributesPerSpan=4096',
    },
  ),
  spanBytesMax: flag(
    'ingest',
    'insert.maxSpanBytes',
    bytes({ min: '1KiB', max: `${limits.spanBytesMost / 2 ** 20}MiB` }),
    {
      default: '4MiB',
      meaning: 'OTLP bytes of one span; a larger one is rejected by name, the others are stored.',
      reason: 'What a gRPC client with default limits can read back in one message.',
      example: '-insert.maxSpanBytes=16MiB',
    },
  ),
  tenantsMax: flag('ingest', 'maxTenants', count('tenants', { min: 1, max: 1_000_000 }), {
    default: '10000',
    meaning: 'Tenants that may have something stored; spans of a further one are refused (429, Retry-After).',
    reason: 'Each costs some KB of memory, and a client may invent one with every request.',
    example: '-maxTenants=100',
  }),
  concurrentInsertsMax: flag('ingest', 'maxConcurrentInserts', count('requests', { min: 1, max: 65_536 }), {
    default: `${32 * cores}`,
    shownDefault: '32 × CPU cores',
    meaning: 'OTLP requests served at once; further ones wait -insert.maxQueueDuration.',
    reason:
      'VictoriaTraces has 2 × CPU, for requests that only decode. Here one also waits for its group commit, which many share.',
    example: '-maxConcurrentInserts=128',
  }),
  insertQueueMaxMs: flag('ingest', 'insert.maxQueueDuration', duration({ min: '1ms', max: '1h' }), {
    default: '1m',
    meaning:
      'How long a request waits for one of -maxConcurrentInserts before it is told to come back (503, Retry-After).',
    reason: 'As in VictoriaTraces: exporters time out sooner, so it bounds only those that wait for ever.',
    example: '-insert.maxQueueDuration=10s',
  }),
  writeMaxMs: flag('ingest', 'insert.maxWriteDuration', duration({ min: '1ms', max: '1h' }), {
    default: '30s',
    meaning:
      'A request that is not on disk after this is told to come back (503, Retry-After); it may be stored all the same.',
    reason: 'Longer than exporters wait: it bounds only those that would wait for ever. A retry is stored once.',
    example: '-insert.maxWriteDuration=10s',
  }),
  otlpGrpcListenAddr: flag('ingest', 'otlpGRPCListenAddr', optionalListenAddress, {
    default: '127.0.0.1:4317',
    meaning: 'Where OTLP over gRPC is served.',
    reason: 'The port every OTLP exporter tries first; loopback, because there is no authentication on it.',
    example: '-otlpGRPCListenAddr=:4317',
  }),
  grpcListenAddr: flag('search', 'grpc.listenAddr', optionalListenAddress, {
    default: '127.0.0.1:17271',
    meaning: "Where Jaeger's gRPC APIs are served: remote storage, api_v3 and api_v2 queries; and OTLP beside them.",
    reason: "The port of Jaeger's own remote storage; loopback, because there is no authentication on it.",
    example: '-grpc.listenAddr=:17271',
  }),
  grpcCallMaxMs: flag('search', 'grpc.maxCallDuration', duration({ min: '1ms', max: '24h' }), {
    default: '5m',
    meaning: 'A gRPC call that takes longer is ended (DEADLINE_EXCEEDED), whatever deadline its client has.',
    reason: 'Jaeger sets none of its own. Long enough to send the largest answer to a slow client.',
    example: '-grpc.maxCallDuration=1m',
  }),
  concurrentSearchesMax: flag('search', 'search.maxConcurrentRequests', count('requests', { min: 1, max: 1_024 }), {
    default: `${cores <= 4 ? 2 * cores : Math.min(cores, 16)}`,
    shownDefault: '2 × CPU cores up to 4 cores, else CPU cores, at most 16',
    meaning: 'Queries that run at once; further ones wait.',
    reason: 'As in VictoriaTraces: a query keeps a core busy, so more at once only makes all of them slower.',
    example: '-search.maxConcurrentRequests=8',
  }),
  searchMaxMs: flag('search', 'search.maxQueryDuration', duration({ min: '1ms', max: '1h' }), {
    default: '30s',
    meaning: 'A query that takes longer is ended (503).',
    reason: 'As in VictoriaTraces: beyond it the person who asked has gone.',
    example: '-search.maxQueryDuration=1m',
  }),
  searchBytesMax: flag('search', 'search.maxScannedBytes', bytes({ min: '1MiB', max: '1024TiB' }), {
    default: '8GiB',
    meaning: 'Stored bytes one query may look at; one that needs more is ended (503).',
    reason: 'A query thread looks through some 300 MB/s at best: what needs more would not end in time.',
    example: '-search.maxScannedBytes=1GiB',
  }),
  slowQueryMs: flag('search', 'search.logSlowQueryDuration', duration({ min: '0ms', max: '1h' }), {
    default: '5s',
    meaning: 'Queries that run longer are logged with their shape, never with values; 0 logs none.',
    reason: 'As in VictoriaTraces.',
    example: '-search.logSlowQueryDuration=500ms',
  }),
  searchTracesMax: flag('search', 'search.maxTraces', count('traces', { min: 1, max: limits.searchTracesMax }), {
    default: '2500',
    meaning: 'Traces a search gives at most; a higher `limit` is taken as this one, and the answer says so.',
    reason: 'What the stock clients ask: Jaeger UI up to 1,500, Kiali 2,500. Every trace is read and sent whole.',
    example: '-search.maxTraces=200',
  }),
  hasTagExpressions: flag('search', 'search.tagExpressions', boolean, {
    default: 'false',
    meaning:
      'In tags, take a value `~re` for a regular expression (RE2) and a key `k!` for its denial: `k=~re`, `k!=v`.',
    reason: 'Off, because Jaeger takes both literally.',
    example: '-search.tagExpressions',
  }),
  queryWorkers: flag('search', 'queryWorkers', count('threads', { min: 1, max: 64 }), {
    default: '1',
    meaning: 'Threads that decode blocks for queries.',
    reason: 'One answers within the goals on two cores; set it near the number of cores where queries matter most.',
    example: '-queryWorkers=4',
  }),
  isMonitorOff: flag('search', 'monitor.disable', boolean, {
    default: 'false',
    meaning: 'Refuse the endpoints of Jaeger UI’s Monitor tab (501), so that the tab says there are no metrics.',
    reason: 'On, because it costs nothing until somebody looks.',
    example: '-monitor.disable',
  }),
  httpListenAddr: flag('http', 'httpListenAddr', listenAddress, {
    default: '127.0.0.1:10428',
    meaning: 'Where OTLP over HTTP, the query API, /metrics and /health are served.',
    reason: "VictoriaTraces' port; loopback, because there is no authentication unless a proxy adds it.",
    example: '-httpListenAddr=:10428',
  }),
  httpPathPrefix: flag('http', 'http.pathPrefix', urlPrefix, {
    default: '',
    meaning: 'Put before every HTTP path, for a proxy that does not take its own prefix away.',
    reason: 'Most proxies do.',
    example: '-http.pathPrefix=/tracelith',
  }),
  corsOrigins: flag('http', 'http.corsOrigins', origins, {
    default: '',
    meaning: 'Origins whose pages may call the ingest and query APIs from a browser (CORS), with commas; `*` for all.',
    reason: 'A page from anywhere must not read the traces of whoever opens it.',
    example: '-http.corsOrigins=https://shop.example',
  }),
  allowedHosts: flag('http', 'http.allowedHosts', hostNames, {
    default: '',
    meaning:
      'Names that requests may ask for as their Host, beside addresses and localhost, with commas; `*` for any. Empty: any, but none on a loopback address.',
    reason: 'A page whose name is pointed at this machine must not read the traces of whoever opens it.',
    example: '-http.allowedHosts=traces.example',
  }),
  isPurgeOn: flag('http', 'purge.enable', boolean, {
    default: 'false',
    meaning: 'Serve POST /internal/purge, which removes everything stored, of all tenants. For test suites alone.',
    reason: "Jaeger's integration suite asks for it between its tests; nobody else may find such a path.",
    example: '-purge.enable',
  }),
  jaegerUiDir: flag('http', 'jaegerui.dir', text, {
    default: '',
    meaning:
      'Serve Jaeger UI from this folder: an unpacked `assets.tar.gz` of a jaeger-ui release, or a build of it. Empty: none.',
    reason: 'The UI is another project’s, of many versions; the one that fits its users is theirs to choose.',
    example: '-jaegerui.dir=/usr/share/jaeger-ui',
  }),
  jaegerUiConfig: flag('http', 'jaegerui.config', text, {
    default: '',
    meaning:
      'A UI configuration as Jaeger takes it, `.json` or `.js`, read once at the start. Empty: the UI’s own defaults.',
    reason: 'The defaults show every page that this server answers.',
    example: '-jaegerui.config=/etc/jaeger-ui.json',
  }),
  shutdownMaxMs: flag('http', 'http.maxGracefulShutdownDuration', duration({ min: '0ms', max: '1h' }), {
    default: '7s',
    meaning:
      'After SIGTERM, how long requests under way, over HTTP and gRPC, may take to finish before their connections are closed.',
    reason: 'As in VictoriaTraces: leaves most of the ten seconds that container runtimes wait before they kill.',
    example: '-http.maxGracefulShutdownDuration=5s',
  }),
  forceFlushAuthKey: authKey('forceFlushAuthKey', 'POST /internal/force_flush'),
  forceMergeAuthKey: authKey('forceMergeAuthKey', 'POST /internal/force_merge'),
  partitionManageAuthKey: authKey('partitionManageAuthKey', 'POST /internal/partition/*'),
  archiveDeleteAuthKey: authKey('archiveDeleteAuthKey', 'DELETE /api/archive/*'),
  metricsAuthKey: authKey('metricsAuthKey', 'GET /metrics'),
  flagsAuthKey: authKey('flagsAuthKey', 'GET /flags'),
  stopMaxMs: flag('process', 'shutdownTimeout', duration({ min: '0ms', max: '1h' }), {
    default: '9s',
    meaning:
      'After SIGTERM, how long the whole stop may take: requests under way, then the last flush, which is cut short at the end. What is acknowledged is on disk before.',
    reason: 'Container runtimes kill after ten seconds.',
    example: '-shutdownTimeout=25s',
  }),
  memoryPercent: flag('process', 'memory.allowedPercent', count('percent', { min: 1, max: 100 }), {
    default: '60',
    meaning:
      'Share of the memory of the machine, or of its container where that has less, that requests, answers, caches and merges may take together with the program.',
    reason: 'As in VictoriaMetrics. The rest is for what is counted less exactly: garbage, buffers of the system.',
    example: '-memory.allowedPercent=40',
  }),
  memoryBytes: flag('process', 'memory.allowedBytes', bytes({ min: '0', max: '1024TiB' }), {
    default: '0',
    meaning: 'The same in bytes, instead of -memory.allowedPercent. 0: by percent.',
    reason: 'As in VictoriaMetrics: for who knows what else runs on the machine.',
    example: '-memory.allowedBytes=800MiB',
  }),
  keepFailedRequests: flag('process', 'debug.keepFailedRequests', boolean, {
    default: 'false',
    meaning: 'Keep the bodies of requests that meet a bug of this program in quarantine/, up to 16 until the restart.',
    reason: 'They hold what users sent: kept only by who wants to find the bug.',
    example: '-debug.keepFailedRequests',
  }),
  stallMaxMs: flag('process', 'stallTimeout', duration({ min: '1s', max: '1h' }), {
    default: '8s',
    meaning:
      'A process whose store or main thread does nothing for so long, or ten times as long while it waits for the disk, logs it and kills itself, for its supervisor to start it again.',
    reason:
      'A process that looks alive and answers nobody is the worst state; the longest step of a healthy one is a second.',
    example: '-stallTimeout=30s',
  }),
  loggerFormat: flag('process', 'loggerFormat', choice(LOG_FORMATS), {
    default: 'default',
    meaning: 'Lines of text, or one JSON object a line, on stderr.',
    reason: 'The first reader is a person at a terminal.',
    example: '-loggerFormat=json',
  }),
  loggerLevel: flag('process', 'loggerLevel', choice(LOG_LEVELS), {
    default: 'INFO',
    meaning: 'Lines below this level are not written.',
    reason: 'INFO is a few lines in the life of a process.',
    example: '-loggerLevel=WARN',
  }),
  envflagEnable: flag('process', 'envflag.enable', boolean, {
    default: 'false',
    meaning: 'Also take flags from environment variables of the same names, `_` for `.`; the command line wins.',
    reason: 'As in VictoriaTraces: a stray variable must not change a server that was not asked to look.',
    example: '-envflag.enable',
  }),
  envflagPrefix: flag('process', 'envflag.prefix', text, {
    default: '',
    meaning: 'Put before the names of these variables.',
    reason: 'As in VictoriaTraces.',
    example: '-envflag.prefix=TRACELITH_',
  }),
  version: flag('process', 'version', boolean, {
    default: 'false',
    meaning: 'Print the version and exit.',
    reason: 'An action, not a setting.',
    example: '-version',
  }),
  help: flag('process', 'help', boolean, {
    default: 'false',
    meaning: 'Print this list and exit.',
    reason: 'An action, not a setting.',
    example: '-help',
  }),
} as const;

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

/**
 * Reads the arguments after the program's name, and the environment when -envflag.enable is given. Throws CONFIG with one
 * line that says which flag is wrong, what was expected and what was found; a secret's value is never part of it.
 */
export function parseConfig(argv: readonly string[] = process.argv.slice(2), env: Environment = process.env): Config {
  const given = readArguments(argv, flagTable);
  if (valueOf(flags.envflagEnable, given)) {
    const prefix = valueOf(flags.envflagPrefix, given);
    addEnvironment(
      given,
      flagTable.filter((row) => !row.name.startsWith('envflag.')),
      env,
      prefix,
    );
  }
  const values = Object.entries(flags).map(([key, entry]) => [key, valueOf<unknown>(entry, given)] as const);
  refuseTwoLimits(given);
  refuseLateStop(given);
  const shownFlags = Object.freeze(Object.values(flags).map((entry) => showFlag(entry, given)));
  return Object.freeze({ ...Object.fromEntries(values), shownFlags }) as Config;
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
    throw new StoreError('CONFIG', `${found?.source ?? `default of -${entry.row.name}`}: ${error.message}`, {
      cause: error,
    });
  }
}

function showFlag(entry: Flag<unknown>, given: ReadonlyMap<string, GivenFlag>): ShownFlag {
  const { name, isSecret } = entry.row;
  const value = isSecret ? 'secret' : (given.get(name)?.text ?? entry.default);
  return Object.freeze({ name, value, isSet: given.has(name) });
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
