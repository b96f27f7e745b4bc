// The ports of a store, opened in three ways on real files, threads and sockets: in this process, through the gRPC listener of one
// node, and as a cluster of several nodes. For test/contract: whoever holds the ports cannot tell which it is.
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { openAccess } from '../../src/api/access/open-access.ts';
import { AnswerBudget } from '../../src/api/edge/answer-budget.ts';
import { Intake } from '../../src/api/edge/intake.ts';
import { TenantLimits } from '../../src/api/edge/tenant-limits.ts';
import { Readiness } from '../../src/api/edge/readiness.ts';
import type { OpenServer } from '../../src/api/edge/open-server.ts';
import { BodyPool } from '../../src/api/http/body-pool.ts';
import { openStorageGrpc } from '../../src/api/listeners/grpc-listeners.ts';
import { ArchiveFolder } from '../../src/archive/archive-folder.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createLogger } from '../../src/base/logger.ts';
import { GrpcCaller } from '../../src/cluster/grpc-caller.ts';
import { openCluster, type Cluster } from '../../src/cluster/open-cluster.ts';
import { RemoteStore } from '../../src/cluster/remote-store.ts';
import { parseConfig } from '../../src/config.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { LocalArchive } from '../../src/query/local-archive.ts';
import { LocalReader } from '../../src/query/local-reader.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { SearchExplainer } from '../../src/trace/search-explanation.ts';
import type { SpanWriter, TraceArchive, TraceReader } from '../../src/trace/store.ts';
import type { LogPlace } from '../../src/cluster/protocol.ts';
import type { GrpcCallOptions } from '../../src/api/grpc/grpc-call.ts';
import { openStore } from '../storage/open-store.ts';
import { testMetrics } from './test-metrics.ts';

/** The node's log of a test; nobody reads it. */
const logger = createLogger({ write: () => undefined });

export interface Ports extends AsyncDisposable {
  readonly writer: SpanWriter;
  readonly reader: TraceReader & SearchExplainer;
  readonly archive: TraceArchive;
}

/** A store of this process, with real query threads. */
export class LocalPorts implements Ports {
  readonly path: string = mkdtempSync(join(tmpdir(), 'tracelith-ports-'));
  readonly storage: Storage;
  readonly writer: SpanWriter;
  readonly reader: LocalReader;
  readonly archive: LocalArchive;

  constructor() {
    const storage = openStore(this.path);
    this.storage = storage;
    this.writer = { write: ({ tenant, ...how }, body, key) => storage.write(tenant, body, key, how) };
    const folder = new ArchiveFolder({ path: this.path, disk: nodeDisk, bytesMax: 1 << 24, freeDiskBytesMin: 0 });
    const source = {
      listServices: async (...args: Parameters<Storage['listServices']>) => storage.listServices(...args),
      listOperations: async (...args: Parameters<Storage['listOperations']>) => storage.listOperations(...args),
      takeView: async (...args: Parameters<Storage['takeView']>) => storage.takeView(...args),
      releaseView: (id: number) => storage.releaseView(id),
      reportDamage: async (...args: Parameters<Storage['reportDamage']>) => storage.reportDamage(...args),
    };
    const bounds = { workers: 1, concurrentMax: 4, durationMaxMs: 60_000 };
    this.reader = new LocalReader({ source, archive: folder, logger, ...bounds });
    this.archive = new LocalArchive({ folder, disk: nodeDisk, reader: this.reader });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.archive.close();
    await this.reader.close();
    await this.storage.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A storage node: a store behind its listener for the other roles. */
export class ServedStore implements AsyncDisposable {
  readonly name: string;
  readonly ports: LocalPorts = new LocalPorts();
  readonly #bodies = new BodyPool();
  #server: OpenServer | undefined;
  #port = 0;
  readonly #instance = randomUUID();
  isReadOnly = false;
  /** Of a node that a log feeds. */
  log: { readonly place: () => LogPlace; readonly reached: NonNullable<GrpcCallOptions['reached']> } | undefined;
  readonly tenants = new TenantLimits(systemClock);

  constructor(name: string) {
    this.name = name;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens, on the same port as before. */
  async open(): Promise<this> {
    const config = parseConfig(
      [`-storage.listenAddr=127.0.0.1:${this.#port}`, '-http.maxGracefulShutdownDuration=0s'],
      {},
    );
    const metrics = testMetrics({ admin: undefined, storageDataPath: '', shownFlags: config.shownFlags });
    const { reader, archive, writer } = this.ports;
    const intake = new Intake({ ...config, writer, metrics, logger, tenants: this.tenants });
    const readiness = new Readiness({ isAlive: () => true, refusalOf: () => Promise.resolve(undefined) });
    readiness.begin();
    const { access } = openAccess({ config, logger, countFailure: metrics.countLoginFailure });
    const server = await openStorageGrpc({
      access,
      config,
      intake,
      bodies: this.#bodies,
      reader,
      explainer: reader,
      archive,
      answers: new AnswerBudget(),
      metrics,
      logger,
      readiness,
      describe: () => ({
        name: this.name,
        version: 'test',
        protocol: 1,
        isReadOnly: this.isReadOnly,
        instance: this.#instance,
        log: this.log?.place(),
      }),
      reached: async (offsets, signal) => (await this.log?.reached(offsets, signal)) ?? [],
    });
    this.#server = server;
    this.#port = server!.port;
    return this;
  }

  /** As a node that is gone: connections are refused, those that are open end. */
  async leave(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    await this.#bodies.close();
    await this.ports[Symbol.asyncDispose]();
  }
}

/** A node's store, asked through its listener. */
export async function openRemotePorts(): Promise<Ports> {
  const served = await new ServedStore('one').open();
  const caller = new GrpcCaller({ address: served.address });
  const remote = new RemoteStore({ caller });
  return {
    writer: remote,
    reader: remote,
    archive: remote,
    [Symbol.asyncDispose]: async () => {
      caller.close();
      await served[Symbol.asyncDispose]();
    },
  };
}

/** Several nodes, asked and written to as one. */
export class ClusterPorts implements Ports {
  readonly nodes: readonly ServedStore[];
  readonly cluster: Cluster;

  private constructor(nodes: readonly ServedStore[], cluster: Cluster) {
    this.nodes = nodes;
    this.cluster = cluster;
  }

  static async open(
    names: readonly string[],
    options: { readonly allowsPartial?: boolean } = {},
  ): Promise<ClusterPorts> {
    const nodes = await Promise.all(names.map((name) => new ServedStore(name).open()));
    const sources = nodes.map(
      ({ address }) => ({ kind: 'address', host: '127.0.0.1', port: Number(address.split(':')[1]) }) as const,
    );
    const cluster = await openCluster({
      sources,
      disk: nodeDisk,
      logger,
      forgetAfterMs: 60_000,
      writeTimeoutMs: 10_000,
      concurrentMax: 16,
      durationMaxMs: 60_000,
      allowsPartial: options.allowsPartial ?? false,
    });
    return new ClusterPorts(nodes, cluster);
  }

  get writer(): SpanWriter {
    return this.cluster.writer;
  }

  get reader(): TraceReader & SearchExplainer {
    return this.cluster.reader;
  }

  get archive(): TraceArchive {
    return this.cluster.archive;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cluster.close();
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}
