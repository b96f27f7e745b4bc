// The pods of the chart tracelith-cluster as processes of this machine: with the arguments that the chart gives them, only their
// addresses and folders changed, they form a cluster, without and with a log. Spans go into insert and come out of select, and lie on
// the storage nodes that should have them. Needs helm, and nats-server for the log.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';
import { launcher } from '../../native-bench/harness/node-process.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { oneSpan } from '../support/one-span.ts';
import { hasProgram, run } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';
import { parseManifests, type Manifest } from '../support/yaml-files.ts';

const TRACES = 20;

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly readinessProbe: { readonly httpGet: { readonly path: string } };
}

function containersOf(manifests: readonly Manifest[]): readonly Container[] {
  const pods = manifests.filter(({ kind }) => ['StatefulSet', 'Deployment'].includes(kind));
  return pods.flatMap(({ spec }) => spec.template.spec.containers as Container[]);
}

/** Pods of the chart that run here. */
class Pods implements AsyncDisposable {
  readonly #containers: readonly Container[];
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'tracelith-chart-'));
  readonly #nodesFile: string = join(this.#folder, 'storage-nodes');
  readonly #children: Child[] = [];
  readonly #ports: number[] = [];

  constructor(values: readonly string[]) {
    const options = ['--kube-version', '1.33.0', ...values.flatMap((value) => ['--set', value])];
    const text = run(root, 'helm', 'template', 'tracelith', 'deploy/helm/tracelith-cluster', ...options);
    this.#containers = containersOf(parseManifests(text));
  }

  /** The number of the StatefulSets. */
  get zones(): number {
    return this.#containers.filter(({ name }) => name === 'storage').length;
  }

  /** Pod `ordinal` of a StatefulSet. Resolves with its address. */
  async startStorage(zone: number, ordinal: number): Promise<string> {
    const port = await findFreePort();
    this.#ports.push(port);
    writeFileSync(this.#nodesFile, this.#ports.map((one) => `127.0.0.1:${one}\n`).join(''));
    const container = this.#containers.filter(({ name }) => name === 'storage')[zone];
    const own = {
      'storage.listenAddr': `127.0.0.1:${port}`,
      storageDataPath: join(this.#folder, `data-${port}`),
      'storageNode.name': `storage-${port}`, // the pod's name
    };
    // Of the host name in a pod.
    const isOfLog = container?.args?.some((arg) => arg.startsWith('-ingestLog.nodes='));
    return await this.#start(container, own, isOfLog === true ? [`-ingestLog.ordinal=${ordinal}`] : []);
  }

  async start(name: string): Promise<string> {
    const own = { storageNode: `file://${this.#nodesFile}` };
    return await this.#start(
      this.#containers.find((one) => one.name === name),
      own,
    );
  }

  /** Resolves with its address when it is ready as its probe asks. */
  async #start(
    container: Container | undefined,
    own: Readonly<Record<string, string>>,
    more: string[] = [],
  ): Promise<string> {
    const url = `http://127.0.0.1:${await findFreePort()}`;
    const changed: Readonly<Record<string, string>> = {
      httpListenAddr: url.slice('http://'.length),
      otlpGRPCListenAddr: '127.0.0.1:0',
      otlpHTTPListenAddr: '127.0.0.1:0',
      'grpc.listenAddr': '127.0.0.1:0',
      ...own,
    };
    const given = (container?.args ?? []).map((arg) => {
      const [flag = '', value] = arg.slice(1).split(/=(.*)/s);
      return value === '' || changed[flag] === undefined ? arg : `-${flag}=${changed[flag]}`;
    });
    // The image's own default, where the chart names none.
    const http = given.some((arg) => arg.startsWith('-httpListenAddr='))
      ? []
      : [`-httpListenAddr=${changed['httpListenAddr']}`];
    const child = await Child.start(launcher, [...given, ...http, ...more]);
    this.#children.push(child);
    const path = container?.readinessProbe.httpGet.path ?? '';
    for (let asked = 0; asked < 400 && child.isRunning; asked++) {
      const status = await fetch(url + path).then(
        (reply) => reply.status,
        () => 0,
      );
      if (status === 200) return url;
      await delay(100);
    }
    throw new Error(`${container?.name} is not ready:\n${child.output}`);
  }

  /** SIGTERM to each; resolves with their exit codes. */
  async stop(): Promise<(number | undefined)[]> {
    return await Promise.all(this.#children.map((child) => child.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await child.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function send(insert: string): Promise<void> {
  for (let trace = 1; trace <= TRACES; trace++) {
    const body = Buffer.from(encodeRequest(oneSpan(trace)));
    const headers = { 'content-type': 'application/x-protobuf' };
    const reply = await fetch(`${insert}/insert/opentelemetry/v1/traces`, { method: 'POST', headers, body });
    expect(reply.status, await reply.text()).toBe(200);
  }
}

async function found(url: string): Promise<number> {
  const reply = await fetch(`${url}/select/jaeger/api/traces?service=s&limit=100`);
  return ((await reply.json()) as { data: unknown[] }).data.length;
}

const hasHelm = hasProgram('helm', 'version');

test.skipIf(!hasHelm)('the roles of the chart store and find traces together', { timeout: 240_000 }, async () => {
  await using pods = new Pods(['storage.replicas=2']);
  const storage = await Promise.all([pods.startStorage(0, 0), pods.startStorage(0, 1)]);
  const [insert, select] = await Promise.all([pods.start('insert'), pods.start('select')]);
  await send(insert);
  expect(await found(select)).toBe(TRACES);
  const shares = await Promise.all(storage.map(found));
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(TRACES);
  expect(Math.min(...shares), 'each storage node has a share').toBeGreaterThan(0);
  expect(new Set(await pods.stop())).toEqual(new Set([0]));
});

test.skipIf(!hasHelm || !hasNatsServer())('with a log each zone has all traces', { timeout: 360_000 }, async () => {
  await using nats = await NatsServers.open();
  const [address, monitor] = [nats.addresses, nats.monitorUrls].map((text) => text.replaceAll(',', '\\,'));
  await using pods = new Pods([
    'storage.replicas=2',
    'log.enabled=true',
    `log.address=nats://${address}`,
    `log.monitor=${monitor}`,
    'log.partitions=4',
  ]);
  expect(pods.zones).toBe(2);
  const storage = await Promise.all([0, 1, 2, 3].map((n) => pods.startStorage(n >> 1, n % 2)));
  const [insert, select] = await Promise.all([pods.start('insert'), pods.start('select')]);
  await send(insert);
  expect(await found(select)).toBe(TRACES);
  const shares = async (): Promise<number[]> => await Promise.all(storage.map(found));
  await expect
    .poll(async () => (await shares()).reduce((sum, share) => sum + share), { timeout: 60_000 })
    .toBe(2 * TRACES);
  const [a0, a1, b0, b1] = await shares();
  expect([a0, a1], 'both zones have the same').toEqual([b0, b1]);
  expect(Math.min(a0!, a1!), 'each storage node has a share').toBeGreaterThan(0);
  expect(new Set(await pods.stop())).toEqual(new Set([0]));
});
