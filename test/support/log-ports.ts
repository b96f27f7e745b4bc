// The ports of a cluster that a log feeds, on real files and sockets in this process: two zones of two storage nodes, each reading its
// partitions of a log in a folder.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { systemClock } from '../../src/base/clock.ts';
import { createLogger } from '../../src/base/logger.ts';
import { LogWriter } from '../../src/cluster/log-writer.ts';
import { openCluster, type Cluster } from '../../src/cluster/open-cluster.ts';
import { ReplicaAsker } from '../../src/cluster/ask-replicas.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { IngestLog } from '../../src/ingest-log/ingest-log.ts';
import { LocalLog } from '../../src/ingest-log/local-log.ts';
import { LogConsumer } from '../../src/ingest-log/log-consumer.ts';
import { LogTail } from '../../src/ingest-log/log-tail.ts';
import { partitionsOf } from '../../src/ingest-log/open-ingest-log.ts';
import { acceptedStarts } from '../../src/storage/retention.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { SearchExplainer } from '../../src/trace/search-explanation.ts';
import type { SpanWriter, TraceArchive, TraceReader } from '../../src/trace/store.ts';
import { DAY_MS } from '../storage/open-store.ts';
import { FakeClock } from './fake-clock.ts';
import { ServedStore, type Ports } from './store-ports.ts';

export const PARTITIONS = 5;
const NODES = 2;
const logger = createLogger({ write: () => undefined });

/** Reads partitions of `log` into `storage`. */
export async function consume(log: IngestLog, storage: Storage, partitions: readonly number[]): Promise<LogConsumer> {
  const store = {
    consume: (...args: Parameters<Storage['consume']>) => storage.consume(...args),
    consumed: async () => storage.consumed(),
  };
  const setAside = (partition: number, _message: unknown, error: unknown): never => {
    throw new Error(`partition ${partition}: a message cannot be stored`, { cause: error });
  };
  return await LogConsumer.open({ log, store, partitions, logger, setAside, retryMs: 5 });
}

export interface FedPlace {
  readonly zone: string;
  readonly ordinal: number;
  readonly nodes: number;
}

/** A storage node that a log feeds. */
export class FedNode implements AsyncDisposable {
  readonly served: ServedStore;
  readonly #log: IngestLog;
  readonly #place: FedPlace;
  #consumer: LogConsumer | undefined;

  private constructor(log: IngestLog, place: FedPlace) {
    this.#log = log;
    this.#place = place;
    this.served = new ServedStore(`${place.zone}${place.ordinal}`);
  }

  static async open(log: IngestLog, place: FedPlace): Promise<FedNode> {
    const node = new FedNode(log, place);
    await node.read();
    node.served.log = {
      place: () => {
        const states = [...(node.#consumer?.states ?? [])];
        const consumed = Object.fromEntries(states.map((state) => [state.partition, state.consumed]));
        return { ...place, partitions: PARTITIONS, consumed };
      },
      reached: async (offsets, signal) => {
        const behind = await node.#consumer!.reached(offsets, 200, signal);
        return [...behind].map(([partition, offset]) => ({ partition, offset, ageMs: 1_000 }));
      },
    };
    await node.served.open();
    return node;
  }

  /** Reads on in the log. */
  async read(): Promise<void> {
    const partitions = partitionsOf(PARTITIONS, this.#place.ordinal, this.#place.nodes);
    this.#consumer = await consume(this.#log, this.served.ports.storage, partitions);
  }

  /** Reads no more until read(). */
  async pause(): Promise<void> {
    await this.#consumer?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
    await this.served[Symbol.asyncDispose]();
  }
}

export class LogPorts implements Ports {
  readonly log: LocalLog;
  readonly nodes: readonly FedNode[];
  readonly writer: SpanWriter;
  readonly replicas: ReplicaAsker;
  readonly #cluster: Cluster;
  readonly #path: string;

  private constructor(parts: {
    path: string;
    log: LocalLog;
    nodes: readonly FedNode[];
    cluster: Cluster;
    replicas: ReplicaAsker;
  }) {
    this.log = parts.log;
    this.nodes = parts.nodes;
    this.replicas = parts.replicas;
    this.#cluster = parts.cluster;
    this.#path = parts.path;
    const accepted = { retentionMs: 7 * DAY_MS, futureRetentionMs: 2 * DAY_MS };
    const clock = new FakeClock();
    this.writer = new LogWriter({
      log: this.log,
      guard: { refusal: undefined },
      acceptedSpans: (tenantMs) => acceptedStarts(clock.nowNs(), accepted, tenantMs),
      timeoutMs: 10_000,
    });
  }

  /** `more`: nodes beside the two zones. */
  static async open(more: readonly FedPlace[] = []): Promise<LogPorts> {
    const path = mkdtempSync(join(tmpdir(), 'tracelith-log-'));
    const log = new LocalLog({ path: join(path, 'log'), disk: nodeDisk, clock: systemClock, partitions: PARTITIONS });
    const places = ['a', 'b'].flatMap((zone) => [0, 1].map((ordinal) => ({ zone, ordinal, nodes: NODES })));
    const nodes: FedNode[] = [];
    for (const place of [...places, ...more]) nodes.push(await FedNode.open(log, place));
    const sources = nodes.map(
      ({ served }) => ({ kind: 'address', host: '127.0.0.1', port: Number(served.address.split(':')[1]) }) as const,
    );
    const replicas = new ReplicaAsker({
      tail: new LogTail(log),
      partitions: PARTITIONS,
      zone: '',
      hedgeAfterMs: 60_000,
    });
    const cluster = await openCluster({
      sources,
      disk: nodeDisk,
      logger,
      forgetAfterMs: 60_000,
      writeTimeoutMs: 10_000,
      concurrentMax: 16,
      durationMaxMs: 60_000,
      allowsPartial: false,
      replicas,
    });
    return new LogPorts({ path, log, nodes, cluster, replicas });
  }

  get reader(): TraceReader & SearchExplainer {
    return this.#cluster.reader;
  }

  get archive(): TraceArchive {
    return this.#cluster.archive;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cluster.close();
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    await this.log.close();
    rmSync(this.#path, { recursive: true, force: true });
  }
}
