// From flags to the log that they name, and to the partitions of it that a storage node reads.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { LogAddress } from '../base/log-address.ts';
import { describeError } from '../base/logger.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import type { IngestLog } from './ingest-log.ts';
import type { KafkaLogOptions } from './kafka-log.ts';

/** Of Config; the flags are those of flags/log-flags.ts. */
export interface LogConfig {
  readonly ingestLog: LogAddress | undefined;
  readonly logMonitors: readonly string[];
  readonly isLogTrusted: boolean;
  readonly logPartitions: number;
  readonly logStream: string;
  readonly logReplicas: number;
  readonly logRetentionMs: number;
  readonly logUser: string;
  readonly logPassword: string;
  readonly logSaslMechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly logTlsCaFile: string;
  readonly logNodes: number;
  readonly logOrdinal: number | undefined;
  readonly logZone: string;
}

/** Connects with the first call. `creates`: makes streams, or the topic, that are not there. The client of the log is loaded only here. */
export async function openIngestLog(config: LogConfig, creates: boolean): Promise<IngestLog> {
  const { ingestLog: address, logPartitions: partitions, logReplicas: replicas, logRetentionMs: retentionMs } = config;
  assert(address !== undefined, 'a log is opened without -ingestLog');
  const { kind, servers, topic } = address;
  const create = creates ? { replicas, retentionMs } : undefined;
  if (kind === 'kafka') {
    const { KafkaLog } = await import('./kafka-log.ts');
    return new KafkaLog({ servers, topic, partitions, create, connection: kafkaConnection(config, address) });
  }
  const { JetStreamLog } = await import('./jet-stream-log.ts');
  const {
    logStream: stream,
    logMonitors: monitors,
    logUser: user,
    logPassword: password,
    logTlsCaFile: caFile,
  } = config;
  const login = user !== '' ? { user, pass: password } : password !== '' ? { token: password } : {};
  const tls = address.isTls ? { tls: caFile === '' ? {} : { caFile } } : {};
  return new JetStreamLog({ servers, partitions, stream, monitors, create, connection: { ...login, ...tls } });
}

function kafkaConnection(config: LogConfig, { isTls }: LogAddress): NonNullable<KafkaLogOptions['connection']> {
  const { logUser: username, logPassword: password, logSaslMechanism: mechanism, logTlsCaFile: caFile } = config;
  return {
    ...(username === '' ? {} : { sasl: { mechanism, username, password } }),
    ...(isTls ? { tls: caFile === '' ? {} : { ca: readCa(caFile) } } : {}),
  };
}

function readCa(path: string): Buffer {
  try {
    const file = nodeDisk.openRead(path);
    try {
      return Buffer.from(file.read(0, file.sizeBytes));
    } finally {
      file.close();
    }
  } catch (cause) {
    throw new StoreError('CONFIG', `-ingestLog.tlsCAFile: ${describeError(cause)}`, { cause });
  }
}

/** The number of this node among -ingestLog.nodes. Throws CONFIG. */
export function ordinalOf({ logOrdinal, logNodes, logPartitions }: LogConfig, hostName: string): number {
  const ordinal = logOrdinal ?? Number(/-(\d{1,4})$/.exec(hostName)?.[1] ?? NaN);
  if (Number.isNaN(ordinal)) {
    const where = `the host name ${JSON.stringify(hostName)} does not end in -NUMBER`;
    throw new StoreError(
      'CONFIG',
      `-ingestLog.ordinal: ${where}; say which of the ${logNodes} storage nodes this is, from 0`,
    );
  }
  if (ordinal >= logNodes)
    throw new StoreError('CONFIG', `-ingestLog.ordinal: ${ordinal} is none of ${logNodes} storage nodes, from 0`);
  if (logNodes > logPartitions) {
    const most = `-ingestLog.nodes is ${logNodes}, and there are ${logPartitions} partitions`;
    throw new StoreError('CONFIG', `${most}: a node would have nothing to read; set it to ${logPartitions} or less`);
  }
  return ordinal;
}

/** Those that node `ordinal` of `nodes` reads. */
export function partitionsOf(partitions: number, ordinal: number, nodes: number): number[] {
  return Array.from({ length: partitions }, (_, partition) => partition).filter((p) => p % nodes === ordinal);
}
