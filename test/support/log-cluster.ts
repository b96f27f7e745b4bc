// A cluster with a log, as processes: insert → three nats-servers → two zones of storage nodes → select; and a single node beside it
// that is sent the same.
import { NatsServers, type NatsServersOptions } from '../../native-bench/harness/nats-servers.ts';
import { requestOf, span } from '../block/scanned.ts';
import { encodeRequest } from './otlp-proto.ts';
import { RoleProcess } from './role-process.ts';

const ZONES = ['a', 'b'];
/** A connection that is kept is closed by a node that was killed meanwhile. */
const CLOSE = { connection: 'close' };

export interface LogClusterOptions {
  /** 4 when absent. */
  readonly partitions?: number;
  /** Of each zone; 2 when absent. */
  readonly nodes?: number;
  readonly nats?: NatsServersOptions;
  /** Further flags of a storage node whose twin is given. */
  readonly flagsOf?: (twin: RoleProcess) => readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly warnings: string | null;
}

interface Parts {
  readonly nats: NatsServers;
  readonly storage: readonly RoleProcess[];
  readonly insert: RoleProcess;
  readonly select: RoleProcess;
  readonly single: RoleProcess;
}

export class LogCluster implements Parts, AsyncDisposable {
  readonly nats: NatsServers;
  /** Zone by zone. */
  readonly storage: readonly RoleProcess[];
  readonly insert: RoleProcess;
  readonly select: RoleProcess;
  readonly single: RoleProcess;

  private constructor({ nats, storage, insert, select, single }: Parts) {
    this.nats = nats;
    this.storage = storage;
    this.insert = insert;
    this.select = select;
    this.single = single;
  }

  static async open(settings: LogClusterOptions = {}): Promise<LogCluster> {
    const { partitions = 4, nodes: count = 2, nats: options, flagsOf = () => [] } = settings;
    const nats = await NatsServers.open(options);
    const log = [`-ingestLog=nats://${nats.addresses}`, `-ingestLog.partitions=${partitions}`];
    const storage: RoleProcess[] = [];
    for (const zone of ZONES)
      for (let ordinal = 0; ordinal < count; ordinal++)
        storage.push(
          await RoleProcess.storing(`${zone}${ordinal}`, false, [
            ...log,
            `-ingestLog.zone=${zone}`,
            `-ingestLog.nodes=${count}`,
            `-ingestLog.ordinal=${ordinal}`,
          ]),
        );
    for (const [n, node] of storage.entries()) node.addFlags(flagsOf(storage[(n + count) % storage.length]!));
    const nodes = storage.map(({ address }) => address).join(',');
    const monitors = `-ingestLog.monitor=${nats.monitorUrls}`;
    const insert = await RoleProcess.inFront('insert', nodes, [...log, monitors]);
    const select = await RoleProcess.inFront('select', nodes, log);
    const single = await RoleProcess.storing('single', true);
    const cluster = new LogCluster({ nats, storage, insert, select, single });
    try {
      // The streams are made by insert; storage nodes wait for them.
      for (const one of [...storage, insert, select, single]) await one.start();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Sends the same request to the cluster and to the node beside it; returns the cluster's status. */
  async write(body: Uint8Array): Promise<number> {
    const single = await postSpans(this.single, body);
    if (single.status !== 200) throw new Error(`the single node answers ${single.status}`);
    return (await postSpans(this.insert, body)).status;
  }

  async ask(path: string, { url }: RoleProcess = this.select): Promise<Answer> {
    const reply = await fetch(url + path, { headers: CLOSE });
    return { status: reply.status, text: await reply.text(), warnings: reply.headers.get('tracelith-warnings') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.insert, this.select, this.single, ...this.storage]) await one[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}

export async function postSpans({ url }: RoleProcess, body: Uint8Array): Promise<Response> {
  const headers = { ...CLOSE, 'content-type': 'application/x-protobuf' };
  return await fetch(`${url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) });
}

/** The sum of a node's metric over its labels. Throws if it has none. */
export async function figureOf({ url }: RoleProcess, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`, { headers: CLOSE })).text();
  const lines = page.split('\n').filter((line) => line.startsWith(`tracelith_ingest_log_${name}`));
  if (lines.length === 0) throw new Error(`${url} has no metric tracelith_ingest_log_${name}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

let made = 1;

/** A request with spans of `count` new traces; returns their ids. */
export function newTraces(count: number): { readonly body: Uint8Array; readonly traces: string[] } {
  const traces = Array.from({ length: count }, () => made++);
  const start = BigInt(Date.now() - 1_000) * 1_000_000n;
  const spans = traces.flatMap((trace) =>
    [1, 2].map((id) => span(id, { trace, startTimeUnixNano: start + BigInt(trace) })),
  );
  return { body: encodeRequest(requestOf(spans)), traces: traces.map((n) => n.toString(16).padStart(32, '0')) };
}
