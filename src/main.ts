// Composition root: config → store → listeners → signal → close; or a tool, if the first argument names one. The only file
// that sees every layer; it decides only the order in which things start and stop.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describeError, createLogger, type LineLogger, type LogFields } from './base/logger.ts';
import { systemClock } from './base/clock.ts';
import { Closing } from './base/closing.ts';
import { shareConnections } from './base/descriptors.ts';
import { ownThread } from './base/diagnosed-thread.ts';
import { isStoreError } from './base/errors.ts';
import { LastKnown } from './base/last-known.ts';
import { LOOK_MS, Pulse } from './base/pulse.ts';
import { StopClock } from './base/stop-clock.ts';
import { welcomeLine } from './base/welcome.ts';
import { allowedMemory, availableMemory, shareMemory, type MemoryShares } from './base/memory.ts';
import { newMeter, startMeter, type SharedMeter } from './base/thread-meter.ts';
import { completionFor } from './base/completion.ts';
import {
  flagTable,
  helpText,
  maskedArguments,
  parseConfig,
  splitArguments,
  type Config,
  type Reloaded,
} from './config.ts';
import { openAccess } from './api/access/open-access.ts';
import { AnswerBudget } from './api/edge/answer-budget.ts';
import { BodyPool } from './api/http/body-pool.ts';
import { openListeners } from './api/listeners/open-listeners.ts';
import { Intake } from './api/edge/intake.ts';
import { createMetrics, type Metrics } from './api/edge/metrics.ts';
import type { SelfTraces } from './api/edge/self-traces.ts';
import { tellOfItself } from './api/edge/tell-of-itself.ts';
import { watchStoredBytes } from './api/edge/stored-bytes.ts';
import { openTenantLimits, type TenantLimits } from './api/edge/tenant-limits.ts';
import { leave, Readiness } from './api/edge/readiness.ts';
import { openDeletion } from './api/operations/open-deletion.ts';
import { reloadOnHangup } from './api/operations/reload-on-hangup.ts';
import { hostName, openCluster } from './cluster/open-cluster.ts';
import { archiveOfOneTenant, TenantsReader } from './cluster/tenants-reader.ts';
import { openLogFront, openLogStorage, type LogStorage } from './cluster/log-roles.ts';
import { openNodeTls } from './cluster/node-tls.ts';
import { PROTOCOL_VERSION, type NodeDescription } from './cluster/protocol.ts';
import { nodeDisk } from './disk/node-disk.ts';
import { pulsingDisk } from './disk/pulsing-disk.ts';
import { closeToOthers, createPrivately } from './disk/private-folder.ts';
import { ownThreadId } from './disk/thread-state.ts';
import { NAME_BOUNDS } from './index/names.ts';
import { LocalArchive } from './query/local-archive.ts';
import { LocalReader } from './query/local-reader.ts';
import { ArchiveFolder } from './archive/archive-folder.ts';
import { takeNodeId } from './storage/node-id.ts';
import type { DeleteTasks } from './deletion/delete-tasks.ts';
import { openRedactor } from './redaction/redactor.ts';
import { openThreadedStore, type ThreadedStore } from './storage/threaded-store.ts';
import type { SearchExplainer } from './trace/search-explanation.ts';
import type { CallContext } from './trace/call-context.ts';
import type { StoreInventory } from './trace/inventory.ts';
import type { SpanDigester } from './trace/span-digests.ts';
import type { SpanWriter, TraceArchive, TraceReader } from './trace/store.ts';
import { openWarmUp } from './api/listeners/warm-up.ts';
import { openGapFiller, type GapFiller } from './tools/gap-filler.ts';
import { isTool, runTool, TOOL_NAMES, toolsHelp } from './tools/run-tool.ts';

const SYSTEM_MEMORY = { totalBytes: totalmem(), constrainedBytes: process.constrainedMemory() };

/** The first page, as deploy/build-ui.mjs builds it. */
const UI_DIR = fileURLToPath(new URL('../build/ui', import.meta.url));
const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;
/** Time to close a store without its flush: the commit under way and LMDB. If it takes longer, the disk hangs. */
const STORE_CLOSE_MS = 5_000;
/** While a thread waits for the disk, it may take this many times -stallTimeout: a slow disk is no fault of the process. */
const DISK_PATIENCE = 10;
/** Queries at once on a select node, in multiples of -search.maxConcurrentRequests. */
const SELECT_QUERIES = 4;
/** Tells this process from an earlier one of the same node, and from another one of the same name. */
const INSTANCE = randomUUID();

const version = String(
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: unknown }).version,
);

/** Where spans are written and read: the store of this process, or the storage nodes of a cluster. */
interface Backend {
  readonly writer: SpanWriter;
  readonly reader: TraceReader & SearchExplainer;
  readonly archive: TraceArchive | undefined;
  /** undefined: there is no store here. */
  readonly store: ThreadedStore | undefined;
  readonly metrics: Metrics;
  /** What depends on where the spans are. */
  readonly local: {
    readonly digester?: SpanDigester;
    readonly inventory?: StoreInventory;
    readonly placeInLog?: LogStorage['placeInLog'] | undefined;
    readonly uiDir?: string;
    readonly deletions?: DeleteTasks | undefined;
  };
  readonly readiness: Readiness;
  readonly describe: () => Promise<NodeDescription>;
  readonly reached?: LogStorage['reached'] | undefined;
  /** From now on the store's queries and work are traced. */
  readonly trace?: (traces: SelfTraces) => void;
  readonly filler?: GapFiller | undefined;
  /** Takes over flags that have changed; undefined: they need a restart. */
  readonly take?: (reloaded: Reloaded) => void;
}

interface Opening {
  readonly config: Config;
  readonly logger: LineLogger;
  readonly stop: StopClock;
  readonly closing: Closing;
  readonly allowedBytes: number;
  readonly memory: MemoryShares;
  readonly tenants: TenantLimits;
  /** Of the threads that every node has. */
  readonly meters: Readonly<Record<'main' | 'body', SharedMeter>>;
}

/** Opens everything that `config` asks for; the returned stack holds it in order of opening. */
async function openNode(config: Config, logger: LineLogger, stop: StopClock): Promise<Closing> {
  const closing = new Closing();
  const logins = openAccess({ config, logger, countFailure: (reason) => metrics.countLoginFailure(reason) });
  closing.add('logins', () => logins[Symbol.dispose]());
  const tenants = openTenantLimits(config.tenantsConfigPath, systemClock, logger);
  closing.add('limits of tenants', () => tenants[Symbol.dispose]());
  const redaction = openRedactor(config, logger);
  closing.add('rules of redaction', () => redaction[Symbol.dispose]());
  const { redactor } = redaction;
  const connectionCaps = shareConnections(config, logger);
  const allowedBytes = allowedMemory({ percent: config.memoryPercent, bytes: config.memoryBytes }, SYSTEM_MEMORY);
  const memory = shareMemoryOf(allowedBytes, config, logger);
  const meters = { main: startMeter(), body: newMeter() };
  const opening = { config, logger, stop, closing, allowedBytes, memory, tenants: tenants.limits, meters };
  const backend = config.storageNodes.length > 0 ? await openRemote(opening) : await openOwn(opening);
  const bodies = new BodyPool(meters.body);
  closing.add('body workers', () => bodies.close());
  const { writer, metrics, store, readiness } = backend;
  const reader = new TenantsReader(backend.reader, memory.answerBytesMax);
  const archive = backend.archive && archiveOfOneTenant(backend.archive);
  if (redactor !== undefined) metrics.watchRedactions(() => redactor.counts);
  tenants.limits.onRefuse = metrics.countRefusal;
  const intake = new Intake({ ...config, ...memory, writer, metrics, logger, tenants: tenants.limits, redactor });
  const selfTraces = await tellOfItself(closing, { config, metrics, intake, logger, version, instance: INSTANCE });
  if (selfTraces !== undefined) backend.trace?.(selfTraces);
  const parts = {
    config,
    access: logins.access,
    intake,
    bodies,
    reader,
    archive,
    answers: new AnswerBudget(memory.answersBytesMax),
    metrics,
    logger,
    connectionCaps,
    readiness,
    selfTraces,
  };
  let addresses: Readonly<Record<string, string>> = {};
  const listeners = await openListeners({
    ...parts,
    ...backend.local,
    describe: backend.describe,
    reached: backend.reached,
    explainer: reader,
    admin: store,
    threads: { main: ownThread(), ...(store && { engine: store.diagnosed }) },
    version,
    addresses: () => addresses,
  });
  addresses = listeners.addresses;
  closing.add('listeners', () => listeners.close());
  // Closed first, so that nothing new is accepted while the listeners drain.
  closing.add('readiness', () => readiness.close());
  closing.add('the wait for load balancers', () => leave(readiness, config.shutdownDelayMs));
  readiness.begin();
  backend.filler?.begin(addresses, closing);
  reloadOnHangup(config, logger, backend.take);
  logger.info(welcomeLine(addresses, { ...config, pathPrefix: config.httpPathPrefix }));
  if (store === undefined) logger.info('tracelith is ready', { version, ...addresses });
  else logStart(logger, config, store, addresses);
  return closing;
}

/** The store of this process. */
async function openOwn(opening: Opening): Promise<Backend> {
  const { config, logger, stop, closing, memory, tenants } = opening;
  const mainPulse = new Pulse();
  mainPulse.start(ownThreadId());
  const store = await openThreadedStore({
    ...engineOptions(config),
    mergeBytes: memory.mergeBytes,
    onFatal: (error) => fail(logger, 'the store has failed', error),
    onSilent: (seconds) => kill(logger, 'the store does not answer, the process ends', { seconds }),
    mainPulse: mainPulse.shared,
  });
  closing.add('store', () => store.close(stop.leftMs()));
  const archived = openArchiveFolder(config, mainPulse);
  const queryMeter = newMeter();
  const metrics = openMetrics(opening, store, queryMeter);
  let traces: SelfTraces | undefined;
  const stored = watchStoredBytes({ admin: store, limits: tenants, logger });
  closing.add('count of stored bytes', () => stored[Symbol.dispose]());
  const reader = new LocalReader({
    source: store,
    archive: archived,
    logger,
    ...queryBounds(config, memory),
    meter: queryMeter,
    runningMaxOf: (tenant) => tenants.of(tenant).queriesAtOnce,
    bytesMaxOf: (tenant) => tenants.of(tenant).queryBytes,
    observe: (query) => {
      metrics.countQuery(query);
      traces?.query(query);
    },
  });
  closing.add('query workers', () => reader.close());
  metrics.watchTurns(() => reader.turns);
  const warming = await openWarmUp(reader, (error) => fail(logger, 'a query failed on made-up spans', error));
  closing.add('warming', () => warming.close());
  const archive = archived && new LocalArchive({ folder: archived, disk: nodeDisk, reader });
  if (archive !== undefined) closing.add('archive', () => archive.close());
  if (archived !== undefined) metrics.watchArchive(() => archived);
  const deletion = openDeletion(config, { store, reader, archive, logger, tenants });
  closing.add('deletion', () => deletion.close());
  const { log, filler } = await openOwnLog(opening, store, metrics);
  const name = config.nodeName || takeNodeId(nodeDisk, config.storageDataPath);
  // The engine answers when its work of now is done, and the probes of a busy node must not wait for that.
  const refusal = new LastKnown<string | undefined>(async () => await store.writeRefusal(), undefined);
  const describe = async (): Promise<NodeDescription> => {
    const isReadOnly = (await refusal.look()) !== undefined;
    return { name, version, protocol: PROTOCOL_VERSION, isReadOnly, instance: INSTANCE, log: log?.place() };
  };
  const inventory = {
    listDays: () => store.listDays(),
    countServices: (call: CallContext) => reader.countServices(call),
  };
  const local = { digester: reader, placeInLog: log?.placeInLog, inventory, uiDir: UI_DIR, deletions: deletion.tasks };
  const take = (reloaded: Reloaded): void => reader.rebound(reboundOf(reloaded));
  const trace = (own: SelfTraces): void => {
    traces = own;
    store.onWork = (work) => own.worked(work);
  };
  const writer = log?.writer ?? store;
  const { reached } = log ?? {};
  const readiness = new Readiness({
    isAlive: () => store.isAnswering,
    refusalOf: async (duty) => (duty === 'insert' ? await refusal.look() : undefined),
    lacks: log && (() => log.lacks(filler?.note)),
  });
  return { writer, reader, archive, store, local, metrics, readiness, describe, reached, trace, take, filler };
}

/** What a storage node of a log has of it. */
async function openOwnLog({ config, logger, closing }: Opening, store: ThreadedStore, metrics: Metrics) {
  if (config.logNodes === 0) return {};
  const log = await openLogStorage(config, { store, logger, disk: nodeDisk });
  closing.add('the log', () => log.close());
  metrics.watchLogReader(config.logZone, log.states);
  const filler = openGapFiller(config, { states: log.states, disk: nodeDisk, logger });
  if (filler !== undefined) metrics.watchGapFiller(() => filler.state);
  return { log, filler };
}

/** The storage nodes of a cluster. */
async function openRemote(opening: Opening): Promise<Backend> {
  const { config, logger, closing, memory } = opening;
  const metrics = openMetrics(opening);
  const tls = openNodeTls(config, logger);
  if (tls !== undefined) closing.add('certificates for storage nodes', () => tls[Symbol.dispose]());
  const log = config.ingestLog === undefined ? undefined : await openLogFront(config, logger);
  if (log !== undefined) {
    closing.add('the log', () => log.close());
    metrics.watchLogFront(log.state);
  }
  const cluster = await openCluster({
    sources: config.storageNodes,
    disk: nodeDisk,
    logger,
    instance: INSTANCE,
    token: config.nodeBearerToken,
    tls,
    forgetAfterMs: config.forgetNodeAfterMs,
    writeTimeoutMs: config.nodeWriteMaxMs,
    // They wait for other nodes, not for a core of this one.
    concurrentMax: SELECT_QUERIES * config.concurrentSearchesMax,
    durationMaxMs: config.searchMaxMs,
    waitMaxMs: config.searchQueueMaxMs,
    allowsPartial: config.allowsPartial,
    answerBytesMax: memory.answerBytesMax,
    answersBytesMax: memory.answersBytesMax,
    replicas: log?.replicas,
  });
  closing.add('storage nodes', () => cluster.close());
  metrics.watchCluster(cluster.state);
  const { reader, archive, isReachable, behind } = cluster;
  const writer = log?.writer ?? cluster.writer;
  const readiness = new Readiness({
    isAlive: () => true,
    isReachable: () => log?.writer !== undefined || isReachable(),
    refusalOf: async (duty) => {
      if (log !== undefined && duty === 'insert') return log.refusal();
      return isReachable() ? undefined : 'no storage node answers (-storageNode)';
    },
  });
  const name = config.nodeName || hostName((config.storageListenAddr ?? config.httpListenAddr).port);
  const describe = async (): Promise<NodeDescription> => ({
    name,
    version,
    protocol: PROTOCOL_VERSION,
    instance: INSTANCE,
    behind: behind(),
  });
  return { writer, reader, archive, store: undefined, local: { uiDir: UI_DIR }, metrics, readiness, describe };
}

/** undefined: nothing can be archived. */
function openArchiveFolder(config: Config, mainPulse: Pulse): ArchiveFolder | undefined {
  const { archiveBytesMax: bytesMax, storageDataPath: path, freeDiskBytesMin } = config;
  if (bytesMax === 0) return undefined;
  return new ArchiveFolder({ path, disk: pulsingDisk(nodeDisk, mainPulse), bytesMax, freeDiskBytesMin });
}

/** The metrics of the node. `query`: of the query threads. */
function openMetrics(opening: Opening, store?: ThreadedStore, query?: SharedMeter): Metrics {
  const { config, allowedBytes, logger, meters } = opening;
  return createMetrics({
    ...config,
    admin: store,
    version,
    memory: { allowedBytes, availableBytes: availableMemory(SYSTEM_MEMORY) },
    logCounts: () => logger.counts(),
    meters: { ...meters, ...store?.meters, ...(query && { query }) },
  });
}

/** How much memory each part of the process may hold, out of what it is allowed. */
function shareMemoryOf(allowedBytes: number, config: Config, logger: LineLogger): MemoryShares {
  const memory = shareMemory(allowedBytes, config);
  const { requestBytesMax, jsonBytesMax } = memory;
  if (requestBytesMax < config.requestBytesMax) {
    const shown = { allowedBytes, requestBytesMax, jsonBytesMax };
    logger.warn('little memory: requests may be smaller than -opentelemetry.traces.maxRequestSize', shown);
  }
  return memory;
}

/** The bounds of a query that may change while the node runs. */
function reboundOf({ searchMaxMs: durationMaxMs, searchBytesMax: bytesMax, slowQueryMs: slowMs }: Reloaded) {
  return { durationMaxMs, bytesMax, slowMs };
}

function queryBounds(config: Config, memory: MemoryShares) {
  return {
    ...reboundOf(config),
    workers: config.queryWorkers,
    concurrentMax: config.concurrentSearchesMax,
    waitMaxMs: config.searchQueueMaxMs,
    cacheBytes: memory.queryCacheBytes,
    answerBytesMax: memory.answerBytesMax,
  };
}

function engineOptions(
  config: Config,
): Omit<Parameters<typeof openThreadedStore>[0], 'onFatal' | 'onSilent' | 'mainPulse' | 'mergeBytes'> {
  const { storageDataPath: path, loggerLevel: logLevel, loggerFormat: logFormat, stallMaxMs } = config;
  const { operationsPerServiceMax, servicesPerTenantMax } = config;
  const nameBounds = { ...NAME_BOUNDS, operationsPerServiceMax, servicesPerTenantMax };
  const looksMax = Math.ceil(stallMaxMs / LOOK_MS);
  return {
    ...config,
    tellsWork: config.selfTracingUrl !== '',
    path,
    nameBounds,
    logLevel,
    logFormat,
    patience: { looksMax, waitingLooksMax: looksMax * DISK_PATIENCE },
  };
}

function logStart(
  logger: LineLogger,
  config: Config,
  store: ThreadedStore,
  addresses: Readonly<Record<string, string>>,
): void {
  const { damaged, dropped, failed, tookMs, ...recovered } = store.report;
  for (const damage of damaged) logger.warn('damaged data was set aside in quarantine', { damage });
  logger.info('tracelith is ready', {
    version,
    data: config.storageDataPath,
    ...addresses,
    ...recovered,
    damaged: damaged.length,
    droppedDays: dropped.length,
    failedDays: failed.length,
    recoveredInMs: Math.round(tookMs),
  });
}

/** Not process.exit: it waits for every thread, and a hanging thread may be the reason for the kill. */
function kill(logger: LineLogger, what: string, fields: LogFields): never {
  logger.error(what, fields);
  process.kill(process.pid, 'SIGKILL');
  // Signals that process 1 of a container sends to itself do not kill it.
  process.abort();
}

function fail(logger: LineLogger, what: string, error: unknown): never {
  logger.error(what, { error: describeError(error) });
  process.exit(EXIT_FAILED);
}

/**
 * Closes on the first SIGTERM or SIGINT and ends the process, even if the store cannot be closed: acknowledged data is on
 * disk. A second signal ends the process at once.
 */
function closeOnSignal(closing: Closing, logger: LineLogger, stop: StopClock): void {
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info('closing', { signal });
    stop.start();
    const endMs = stop.leftMs() + STORE_CLOSE_MS;
    setTimeout(() => kill(logger, 'the store does not close, the process ends', { signal }), endMs).unref();
    await closing.close();
    logger.info('closed: everything acknowledged is on disk');
    process.exit(0);
  };
  let isClosing = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isClosing) return kill(logger, 'killed while closing', { signal });
      isClosing = true;
      close(signal).catch((error: unknown) => fail(logger, 'closing failed', error));
    });
  }
}

/** A tool runs and ends; it opens no store and no listener. */
async function runAsTool(name: string, args: readonly string[]): Promise<void> {
  const terminal = {
    out: (text: string) => void process.stdout.write(text),
    err: (text: string) => void process.stderr.write(text),
    isInteractive: process.stderr.isTTY,
  };
  process.exitCode = await runTool(name, args, terminal, { version, parseConfig: (flags) => parseConfig(flags) });
}

/** The first arguments that are neither a tool nor a flag, as people try them, and what they mean. */
const ASKED: Readonly<Record<string, string>> = { help: '-help', '-h': '-help', '--h': '-help', version: '-version' };

async function main(): Promise<void> {
  createPrivately();
  const { first = '', rest } = splitArguments();
  if (isTool(first)) return await runAsTool(first, rest);
  if (first === 'help' && isTool(rest[0])) return await runAsTool(rest[0], ['-help']);
  if (first === 'completion') {
    const commands = [...TOOL_NAMES, 'completion', 'help', 'version'];
    process.stdout.write(completionFor(rest[0], { flags: flagTable, commands }));
    return;
  }
  const asked = ASKED[first];
  const config = asked === undefined ? parseConfig() : parseConfig([asked]);
  if (config.help) {
    process.stdout.write(`${helpText()}\n${toolsHelp()}`);
    return;
  }
  if (config.version) {
    process.stdout.write(`tracelith ${version}\n`);
    return;
  }
  const masked = maskedArguments();
  if (masked !== undefined) process.title = ['tracelith', ...masked].join(' ');
  const logger = createLogger({ level: config.loggerLevel, format: config.loggerFormat });
  const { storageDataPath } = config;
  if (!closeToOthers(storageDataPath))
    logger.warn('other users may enter the data directory: give it to the user of this process', { storageDataPath });
  const stop = new StopClock(config.shutdownDelayMs + config.stopMaxMs);
  closeOnSignal(await openNode(config, logger, stop), logger, stop);
}

main().catch((error: unknown) => {
  const isConfig = isStoreError(error, 'CONFIG');
  process.stderr.write(`tracelith: ${isStoreError(error) ? error.message : describeError(error)}\n`);
  process.exit(isConfig ? EXIT_CONFIG : EXIT_FAILED);
});
