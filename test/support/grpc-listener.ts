// The listener of Jaeger's gRPC APIs on a free port over a MapReader, with a client.
import { openAccess } from '../../src/api/access/open-access.ts';
import { AnswerBudget } from '../../src/api/edge/answer-budget.ts';
import { openJaegerGrpc } from '../../src/api/listeners/grpc-listeners.ts';
import { BodyPool } from '../../src/api/http/body-pool.ts';
import { Intake } from '../../src/api/edge/intake.ts';
import type { Metrics } from '../../src/api/edge/metrics.ts';
import { testMetrics } from './test-metrics.ts';
import { createLogger } from '../../src/base/logger.ts';
import { parseConfig } from '../../src/config.ts';
import type { TraceArchive } from '../../src/trace/store.ts';
import { FakeReadiness } from './fake-readiness.ts';
import { MapReader } from './map-reader.ts';
import { RecordingStore } from './recording-store.ts';
import { StorageClient } from './storage-client.ts';

export interface GrpcListener extends AsyncDisposable {
  readonly reader: MapReader;
  readonly answers: AnswerBudget;
  readonly intake: Intake;
  readonly store: RecordingStore;
  readonly client: StorageClient;
  readonly address: string;
  readonly metrics: Metrics;
  readonly logLines: string[];
  readonly ready: FakeReadiness;
  close(): Promise<void>;
}

export interface GrpcListenerOptions {
  readonly archive?: TraceArchive;
  readonly flags?: readonly string[];
  /** How long a close waits for calls under way. */
  readonly shutdownMax?: string;
}

/** At most 50 traces a search. */
export async function openGrpcListener(options: GrpcListenerOptions = {}): Promise<GrpcListener> {
  const { flags = [], shutdownMax = '2s' } = options;
  const own = ['-grpc.listenAddr=127.0.0.1:0', '-search.maxTraces=50'];
  const config = parseConfig([...own, `-http.maxGracefulShutdownDuration=${shutdownMax}`, ...flags], {});
  const reader = new MapReader();
  const store = new RecordingStore();
  const logLines: string[] = [];
  const logger = createLogger({ write: (line) => void logLines.push(line) });
  const { storageDataPath, shownFlags } = config;
  const metrics = testMetrics({ admin: store, storageDataPath, shownFlags });
  const intake = new Intake({ ...config, writer: store, metrics, logger });
  const answers = new AnswerBudget();
  const ready = new FakeReadiness();
  const listener = (await openJaegerGrpc({
    config,
    access: openAccess({ config, logger, countFailure: metrics.countLoginFailure }).access,
    intake,
    bodies: new BodyPool(),
    reader,
    answers,
    archive: options.archive,
    metrics,
    logger,
    readiness: ready.readiness,
  }))!;
  const address = `127.0.0.1:${listener.port}`;
  const client = new StorageClient(address);
  const close = (): Promise<void> => listener.close();
  const dispose = async (): Promise<void> => {
    client[Symbol.dispose]();
    await close();
  };
  const parts = { reader, answers, intake, store, client, address, metrics, logLines, ready, close };
  return { ...parts, [Symbol.asyncDispose]: dispose };
}
