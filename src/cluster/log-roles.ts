// The parts of a process in front of a log, and of one behind it: who writes to it, who asks its storage nodes, who reads it.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import { describeError, type Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import {
  gapText,
  LogConsumer,
  type ConsumingStore,
  type LogConsumerOptions,
  type PartitionState,
} from '../ingest-log/log-consumer.ts';
import type { ForeignEncoding } from '../ingest-log/log-payload.ts';
import { LogGuard } from '../ingest-log/log-guard.ts';
import { LogTail } from '../ingest-log/log-tail.ts';
import { placeInLog, type PlaceInLog } from '../ingest-log/place-in-log.ts';
import { openIngestLog, ordinalOf, partitionsOf, type LogConfig } from '../ingest-log/open-ingest-log.ts';
import type { ScanBounds } from '../otlp/scan-request.ts';
import { quarantineBytes } from '../quarantine/quarantine.ts';
import { acceptedStarts, type AcceptedAges } from '../storage/retention.ts';
import type { Behind, SpanWriter } from '../trace/store.ts';
import { ReplicaAsker, type ReplicaCounters } from './ask-replicas.ts';
import { LogWriter, noLogWrites, type LogWriterCounters } from './log-writer.ts';
import type { LogPlace } from './protocol.ts';

export interface LogFrontConfig extends LogConfig, AcceptedAges {
  readonly spanAttributesMax: number;
  readonly spanBytesMax: number;
  readonly isInsertOff: boolean;
  readonly logWriteMaxMs: number;
  readonly logHedgeMs: number;
}

/** What an insert or select node has of a log. */
export interface LogFront {
  /** undefined: the process takes no spans. */
  readonly writer: LogWriter | undefined;
  readonly replicas: ReplicaAsker;
  /** Why no spans are taken now, for people; undefined: they are. */
  readonly refusal: () => string | undefined;
  readonly state: () => LogFrontState;
  close(): Promise<void>;
}

/** What a scrape of /metrics reads. */
export interface LogFrontState extends ReplicaCounters, LogWriterCounters {
  readonly waitingBytes: number;
  /** Of the log, as it proved them last; 0: not known. */
  readonly replicaCount: number;
  /** Infinity: without limit. */
  readonly retentionSeconds: number;
  readonly isRefused: boolean;
}

/** Throws CONFIG if the log does not keep the promise of a process that takes spans; UNAVAILABLE if it does not answer such a process. */
export async function openLogFront(config: LogFrontConfig, logger: Logger): Promise<LogFront> {
  const takesSpans = !config.isInsertOff;
  const log = await openIngestLog(config, takesSpans);
  const { logPartitions: partitions, logZone: zone, logHedgeMs: hedgeAfterMs, logWriteMaxMs: timeoutMs } = config;
  const replicas = new ReplicaAsker({ tail: new LogTail(log), partitions, zone, hedgeAfterMs });
  let guard: LogGuard | undefined;
  try {
    if (takesSpans) guard = await LogGuard.open({ log, logger, isTrusted: config.isLogTrusted });
  } catch (error) {
    await log.close();
    throw error;
  }
  const { spanAttributesMax, spanBytesMax } = config;
  const acceptedSpans = (tenantMs?: number): ScanBounds => ({
    ...acceptedStarts(systemClock.nowNs(), config, tenantMs),
    spanAttributesMax,
    spanBytesMax,
  });
  const writer = guard === undefined ? undefined : new LogWriter({ log, guard, timeoutMs, acceptedSpans });
  return {
    writer,
    replicas,
    refusal: () => guard?.refusal,
    state: () => ({
      ...replicas.counters,
      ...(writer?.counters ?? noLogWrites()),
      waitingBytes: writer?.waitingBytes ?? 0,
      replicaCount: guard?.description?.replicas ?? 0,
      retentionSeconds: (guard?.description?.retentionMs ?? 0) / 1_000,
      isRefused: (guard?.description?.problems.length ?? 0) > 0,
    }),
    close: async () => {
      guard?.close();
      await log.close();
    },
  };
}

export interface LogStorageConfig extends LogConfig {
  readonly logEncoding: ForeignEncoding;
  readonly logReadWaitMs: number;
  readonly storageDataPath: string;
}

/** What a storage node has of a log. */
export interface LogStorage {
  /** Refuses all spans but copied ones: they come out of the log. */
  readonly writer: SpanWriter;
  readonly place: () => LogPlace;
  /** The same for `tracelith sync`. */
  readonly placeInLog: () => PlaceInLog;
  /** What the log had lost before this node read it, and what is done about it, for people; undefined: nothing. */
  readonly lacks: (note?: string) => string | undefined;
  /** As GrpcCallOptions.reached. */
  readonly reached: (offsets: ReadonlyMap<number, bigint>, signal: AbortSignal) => Promise<readonly Behind[]>;
  readonly states: () => Iterable<PartitionState>;
  close(): Promise<void>;
}

/** The log need not answer yet. Throws CONFIG. */
export async function openLogStorage(
  config: LogStorageConfig,
  {
    store,
    logger,
    disk,
  }: { readonly store: ConsumingStore & SpanWriter; readonly logger: Logger; readonly disk: Disk },
): Promise<LogStorage> {
  const { logPartitions, logNodes: nodes, logZone: zone, logReadWaitMs } = config;
  const ordinal = ordinalOf(config, hostname());
  const log = await openIngestLog(config, false);
  const partitions = partitionsOf(logPartitions, ordinal, nodes);
  const setAside: LogConsumerOptions['setAside'] = (partition, { offset, bytes }, error) => {
    logger.error('a message of the log cannot be stored; it was put aside', { partition, offset, error });
    const note = `a message of the log (-ingestLog) that cannot be stored: ${describeError(error)}`;
    const folder = join(config.storageDataPath, 'quarantine');
    quarantineBytes(disk, folder, { name: `log-${partition}-${offset}`, bytes, note });
  };
  const consumer = await LogConsumer.open({ store, logger, setAside, log, partitions, encoding: config.logEncoding });
  const part = { zone, ordinal, nodes, partitions: logPartitions };
  return {
    writer: copiesInto(store),
    place: () => placeOf(consumer, part),
    // Other programs write to Kafka only, and put traces where they like.
    placeInLog: () => placeInLog({ ...part, isOursAlone: config.ingestLog?.kind !== 'kafka' }, [...consumer.states]),
    lacks: (note) => lacksOf(consumer, note),
    reached: async (offsets, signal) => {
      const behind = await consumer.reached(offsets, logReadWaitMs, signal);
      const times = new Map([...consumer.states].map((state) => [state.partition, state.storedTimeMs]));
      return [...behind].map(([partition, offset]) => {
        const storedMs = times.get(partition) ?? 0;
        return { partition, offset, ageMs: storedMs === 0 ? 0 : Math.max(1, Date.now() - storedMs) };
      });
    },
    states: () => consumer.states,
    close: async () => {
      await consumer.close();
      await log.close();
    },
  };
}

function placeOf(consumer: LogConsumer, own: Omit<LogPlace, 'consumed' | 'hasGaps'>): LogPlace {
  const states = [...consumer.states];
  const consumed = Object.fromEntries(states.map(({ partition, consumed: offset }) => [partition, offset]));
  return { ...own, consumed, hasGaps: states.some(({ gap }) => gap !== undefined) };
}

function lacksOf({ states }: LogConsumer, note: string | undefined): string | undefined {
  const gaps = [...states].flatMap(({ partition, gap }) => (gap === undefined ? [] : [gapText(partition, gap)]));
  return gaps.length === 0 ? undefined : [...gaps, ...(note === undefined ? [] : [note])].join('; ');
}

/** Spans that were acknowledged once, and are copied from a twin, do not go through the log again; all others would be on this node alone. */
function copiesInto(store: SpanWriter): SpanWriter {
  const text = 'this storage node gets its spans from the log (-ingestLog.nodes); send them to an insert node';
  return {
    write: async (call, body, key) => {
      if (call.isCopied !== true) throw new StoreError('DISABLED', text);
      return await store.write(call, body, key);
    },
  };
}
