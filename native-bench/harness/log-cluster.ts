// A cluster with a log between insert and storage nodes, of real processes on this machine: nats-servers, and in each zone as many
// storage nodes, called a-0, a-1, b-0 and so on.
import { startCluster, type Cluster, type ClusterOptions } from './cluster.ts';
import { NatsServers } from './nats-servers.ts';

export interface LogClusterOptions extends Omit<ClusterOptions, 'storages'> {
  readonly zones: readonly string[];
  /** Storage nodes of a zone. */
  readonly nodes: number;
  /** Of the log; 16 when absent, as the program has it. */
  readonly partitions?: number;
  /** The program nats-server, if it is not in PATH. */
  readonly natsProgram?: string | undefined;
}

export class LogCluster implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly nats: NatsServers;

  constructor(cluster: Cluster, nats: NatsServers) {
    this.cluster = cluster;
    this.nats = nats;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}

/** Starts three servers of the log, then all members. Throws when one does not start, and stops the others. */
export async function startLogCluster(options: LogClusterOptions): Promise<LogCluster> {
  const { zones, nodes, partitions = 16, natsProgram: program, flags = {}, ...rest } = options;
  const nats = await NatsServers.open(program === undefined ? {} : { program });
  const log = [`-ingestLog=nats://${nats.addresses}`, `-ingestLog.partitions=${partitions}`];
  const storages = zones.flatMap((zone) => Array.from({ length: nodes }, (_, i) => storageOf(zone, i, nodes)));
  try {
    const cluster = await startCluster({
      ...rest,
      storages,
      flags: {
        storage: [...log, ...(flags.storage ?? [])],
        insert: [...log, `-ingestLog.monitor=${nats.monitorUrls}`, ...(flags.insert ?? [])],
        select: [...log, ...(flags.select ?? [])],
      },
    });
    return new LogCluster(cluster, nats);
  } catch (error) {
    await nats[Symbol.asyncDispose]();
    throw error;
  }
}

function storageOf(zone: string, ordinal: number, nodes: number): { name: string; flags: string[] } {
  const place = [`-ingestLog.zone=${zone}`, `-ingestLog.nodes=${nodes}`, `-ingestLog.ordinal=${ordinal}`];
  return { name: `${zone}-${ordinal}`, flags: place };
}
