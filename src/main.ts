// Composition root: config → store → listeners → signal → close; or one of the tools, when the first argument names it.
// The only file that sees every layer; it decides nothing but the order in which things start and stop.
import { readFileSync } from 'node:fs';
import { describeError, createLogger, type LineLogger } from './base/logger.ts';
import { Closing } from './base/closing.ts';
import { isStoreError } from './base/errors.ts';
import { formatAddress } from './base/flag-value.ts';
import { helpText, parseConfig, splitArguments, type Config } from './config.ts';
import { AnswerBudget } from './api/edge/answer-budget.ts';
import { openJaegerGrpc, openOtlpGrpc } from './api/listeners/grpc-listeners.ts';
import { openHttpServer } from './api/listeners/http-server.ts';
import { Intake } from './api/edge/intake.ts';
import { createMetrics } from './api/edge/metrics.ts';
import { nodeDisk } from './disk/node-disk.ts';
import { LocalArchive } from './query/local-archive.ts';
import { LocalReader } from './query/local-reader.ts';
import { ArchiveFolder } from './archive/archive-folder.ts';
import { openThreadedStore, type ThreadedStore } from './storage/threaded-store.ts';
import { isTool, runTool, toolsHelp } from './tools/run-tool.ts';

const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;

const version = String(
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: unknown }).version,
);

/** Opens everything `config` asks for; what was opened is on the returned stack, in order. */
async function openNode(config: Config, logger: LineLogger): Promise<Closing> {
  const closing = new Closing();
  let isReady = false;
  const store = await openThreadedStore({
    ...engineOptions(config),
    onFatal: (error) => fail(logger, 'the store has failed', error),
  });
  closing.add('store', () => store.close());
  const { archiveBytesMax, storageDataPath, freeDiskBytesMin } = config;
  const archived =
    archiveBytesMax === 0
      ? undefined
      : new ArchiveFolder({ path: storageDataPath, disk: nodeDisk, bytesMax: archiveBytesMax, freeDiskBytesMin });
  const { shownFlags } = config;
  const metrics = createMetrics({
    admin: store,
    version,
    storageDataPath,
    shownFlags,
    suppressedLogLines: () => logger.suppressedLines(),
  });
  const reader = new LocalReader({
    source: store,
    archive: archived,
    logger,
    workers: config.queryWorkers,
    concurrentMax: config.concurrentSearchesMax,
    durationMaxMs: config.searchMaxMs,
    bytesMax: config.searchBytesMax,
    slowMs: config.slowQueryMs,
    observe: (query) => metrics.countQuery(query),
  });
  closing.add('query workers', () => reader.close());
  const archive = archived && new LocalArchive({ folder: archived, reader });
  if (archive !== undefined) closing.add('archive', () => archive.close());
  if (archived !== undefined) metrics.watchArchive(() => archived);
  const { requestBytesMax, concurrentInsertsMax, insertQueueMaxMs } = config;
  const intake = new Intake({ writer: store, metrics, requestBytesMax, concurrentInsertsMax, insertQueueMaxMs });
  const parts = {
    config,
    intake,
    reader,
    archive,
    answers: new AnswerBudget(),
    metrics,
    logger,
    isReady: () => isReady,
  };
  const http = await openHttpServer({ ...parts, explainer: reader, admin: store, version });
  closing.add('http', () => http.close());
  const addresses: Record<string, string> = { http: formatAddress({ host: http.address, port: http.port }) };
  for (const [name, open] of Object.entries({ otlpGrpc: openOtlpGrpc, grpc: openJaegerGrpc })) {
    const listener = await open(parts);
    if (listener === undefined) continue;
    closing.add(name, () => listener.close());
    addresses[name] = formatAddress({ host: listener.address, port: listener.port });
  }
  // Closed first: nothing new is accepted while the listeners drain.
  closing.add('readiness', () => {
    isReady = false;
  });
  isReady = true;
  logStart(logger, config, store, addresses);
  return closing;
}

function engineOptions(config: Config): Omit<Parameters<typeof openThreadedStore>[0], 'onFatal'> {
  const {
    storageDataPath: path,
    retentionMs,
    futureRetentionMs,
    freeDiskBytesMin,
    flushIntervalMs,
    mergeWorkers,
    snapshotsMaxAgeMs,
  } = config;
  const { diskBytesMax, diskPercentMax } = config;
  const { loggerLevel: logLevel, loggerFormat: logFormat } = config;
  return {
    path,
    retentionMs,
    futureRetentionMs,
    freeDiskBytesMin,
    flushIntervalMs,
    mergeWorkers,
    snapshotsMaxAgeMs,
    diskBytesMax,
    diskPercentMax,
    logLevel,
    logFormat,
  };
}

function logStart(
  logger: LineLogger,
  config: Config,
  store: ThreadedStore,
  addresses: Readonly<Record<string, string>>,
): void {
  const { damaged, dropped, tookMs, ...recovered } = store.report;
  for (const damage of damaged) logger.warn('damaged data was set aside in quarantine', { damage });
  logger.info('tracelith is ready', {
    version,
    data: config.storageDataPath,
    ...addresses,
    ...recovered,
    damaged: damaged.length,
    droppedDays: dropped.length,
    recoveredInMs: Math.round(tookMs),
  });
}

function fail(logger: LineLogger, what: string, error: unknown): never {
  logger.error(what, { error: describeError(error) });
  process.exit(EXIT_FAILED);
}

/** Closes on the first SIGTERM or SIGINT and ends the process; a second one ends it at once. */
function closeOnSignal(closing: Closing, logger: LineLogger): void {
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info('closing', { signal });
    process.once(signal, () => fail(logger, 'killed while closing', new Error(signal)));
    await closing.close();
    logger.info('closed: everything acknowledged is on disk');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      close(signal).catch((error: unknown) => fail(logger, 'closing failed', error));
    });
  }
}

/** A tool does its work and ends; it opens no store and no listener. */
function runAsTool(name: string, args: readonly string[]): void {
  process.exitCode = runTool(name, args, {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isInteractive: process.stderr.isTTY,
  });
}

async function main(): Promise<void> {
  const { first, rest } = splitArguments();
  if (isTool(first)) return runAsTool(first, rest);
  const config = parseConfig();
  if (config.help) {
    process.stdout.write(`${helpText()}\n${toolsHelp()}`);
    return;
  }
  if (config.version) {
    process.stdout.write(`tracelith ${version}\n`);
    return;
  }
  const logger = createLogger({ level: config.loggerLevel, format: config.loggerFormat });
  closeOnSignal(await openNode(config, logger), logger);
}

main().catch((error: unknown) => {
  const isConfig = isStoreError(error, 'CONFIG');
  process.stderr.write(`tracelith: ${isStoreError(error) ? error.message : describeError(error)}\n`);
  process.exit(isConfig ? EXIT_CONFIG : EXIT_FAILED);
});
