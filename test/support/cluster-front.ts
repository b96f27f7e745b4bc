// A cluster behind HAProxy (2 insert, 2 select, 3 storage processes) and one node beside it, in the place of a single node: every
// request goes to both, and what they answer must be equal byte for byte. The client gets the cluster's answer, or, where they
// differ, a failure that shows both; disposing the front fails then, too, in case that nobody looked.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { proxyAddresses, startCluster, type Cluster, type Member } from '../../native-bench/harness/cluster.ts';
import { startProxy, type Proxy } from '../../native-bench/harness/proxy.ts';
import { GrpcMirror } from './grpc-mirror.ts';
import { HttpMirror } from './http-mirror.ts';
import type { TestNode } from './node-process.ts';
import { StorageClient } from './storage-client.ts';

const WAIT_MS = 120_000;
const POLL_MS = 50;
/** A busy machine is not taken for a hang, and spans that two nodes have would count twice in sums. */
const PATIENT: readonly string[] = ['-stallTimeout=2m'];
export const FRONT_FLAGS = {
  storage: PATIENT,
  insert: [...PATIENT, '-storageNode.writeTimeout=30s'],
  select: PATIENT,
} as const;

/** Whether the tests of this run ask a cluster where they would ask one node (the projects `cluster…` of vitest.config.ts). */
export const isThroughCluster: boolean = process.env['TRACELITH_TEST_THROUGH'] === 'cluster';

interface Parts {
  readonly folder: string;
  readonly cluster: Cluster;
  readonly proxy: Proxy;
  readonly single: TestNode;
}

/** What a test uses of a TestNode, except the process and the files of the node, which are many here. */
export class ClusterFront implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #differences: string[] = [];
  readonly #http: HttpMirror;
  readonly #otlp: GrpcMirror;
  readonly #jaeger: GrpcMirror;

  private constructor(parts: Parts) {
    this.#parts = parts;
    const { cluster, proxy, single } = parts;
    const report = (difference: string): void => void this.#differences.push(difference);
    this.#http = new HttpMirror({
      clusterUrl: proxy.url,
      nodeUrl: () => single.url,
      storageUrls: cluster.of('storage').map(({ url }) => url),
      report,
    });
    this.#otlp = new GrpcMirror({ cluster: proxy.grpcAddress, node: () => single.grpcAddress, report });
    this.#jaeger = new GrpcMirror({ cluster: proxy.jaegerAddress, node: () => single.jaegerAddress, report });
  }

  /** Starts all of it in front of and beside `single`, which runs already and is disposed with it. */
  static async open(single: TestNode): Promise<ClusterFront> {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-front-'));
    await using opened = new AsyncDisposableStack();
    opened.defer(() => rmSync(folder, { recursive: true, force: true }));
    const cluster = await startCluster({ path: folder, inserts: 2, selects: 2, storages: 3, flags: FRONT_FLAGS });
    opened.use(cluster);
    const proxy = opened.use(await startProxy('haproxy', 'cluster', proxyAddresses(cluster)));
    const front = new ClusterFront({ folder, cluster, proxy, single });
    await Promise.all([front.#http, front.#otlp, front.#jaeger].map((mirror) => mirror.listen()));
    await front.#ready();
    opened.move();
    return front;
  }

  get url(): string {
    return `http://${this.#http.address}`;
  }

  get httpPort(): number {
    return Number(new URL(this.url).port);
  }

  get grpcAddress(): string {
    return this.#otlp.address;
  }

  get jaegerAddress(): string {
    return this.#jaeger.address;
  }

  /** Everything printed lately. */
  log(): string {
    const { cluster, single } = this.#parts;
    return [single.log(), ...cluster.members.map(({ name, output }) => `${name}:\n${output}`)].join('\n');
  }

  /** Ends every process but the proxy with `signal`, and starts them again on the same directories. */
  async restart(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const { cluster, single } = this.#parts;
    await single.restart(signal);
    const end = (member: Member): Promise<void> => (signal === 'SIGKILL' ? member.kill9() : member.stop());
    await Promise.all(cluster.members.map(end));
    for (const role of ['storage', 'insert', 'select'] as const)
      for (const member of cluster.of(role)) await member.start();
    await this.#ready();
  }

  /** Resolves when the proxy has seen that all are there. */
  async #ready(): Promise<void> {
    const { proxy } = this.#parts;
    using otlp = new StorageClient(proxy.grpcAddress);
    using jaeger = new StorageClient(proxy.jaegerAddress);
    const checks = [
      ...['/insert/ready', '/select/ready'].map((path) => async () => (await fetch(proxy.url + path)).status === 200),
      ...[otlp, jaeger].map((client) => async () => (await client.getHealth('')) === 1),
    ];
    for (const check of checks) {
      let waitedMs = 0;
      while (!(await check().catch(() => false))) {
        if ((waitedMs += POLL_MS) > WAIT_MS) throw new Error(`the cluster is not ready:\n${this.log()}`);
        await delay(POLL_MS);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { folder, cluster, proxy, single } = this.#parts;
    for (const mirror of [this.#http, this.#otlp, this.#jaeger]) mirror.close();
    await proxy[Symbol.asyncDispose]();
    await Promise.all(cluster.members.map((member) => member.kill9()));
    await single[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    if (this.#differences.length > 0)
      throw new Error(`${this.#differences.length} answers differ:\n${this.#differences.slice(0, 5).join('\n')}`);
  }
}
