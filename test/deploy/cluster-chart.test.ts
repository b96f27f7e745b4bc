// The pods of the chart tracelith-cluster as processes of this machine: with the arguments that the chart gives them, only their
// addresses and folders changed, they form a cluster. Spans go into insert and come out of select, also those of each storage node.
// Needs helm.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
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

test.skipIf(!hasProgram('helm', 'version'))(
  'the roles of the chart store and find traces together',
  async () => {
    const options = ['--kube-version', '1.33.0', '--set', 'storage.replicas=2'];
    const text = run(root, 'helm', 'template', 'tracelith', 'deploy/helm/tracelith-cluster', ...options);
    const containers = containersOf(parseManifests(text));
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-chart-'));
    const storagePorts = [await findFreePort(), await findFreePort()];
    const nodesFile = join(folder, 'storage-nodes');
    writeFileSync(nodesFile, storagePorts.map((port) => `127.0.0.1:${port}\n`).join(''));
    const children: Child[] = [];

    /** Starts the container `name`, returns its address when it is ready as its probe asks. */
    async function start(name: string, storagePort = 0): Promise<string> {
      const container = containers.find((one) => one.name === name);
      const url = `http://127.0.0.1:${await findFreePort()}`;
      const changed: Readonly<Record<string, string>> = {
        httpListenAddr: url.slice('http://'.length),
        otlpGRPCListenAddr: '127.0.0.1:0',
        otlpHTTPListenAddr: '127.0.0.1:0',
        'grpc.listenAddr': '127.0.0.1:0',
        'storage.listenAddr': `127.0.0.1:${storagePort}`,
        storageDataPath: join(folder, `data-${storagePort}`),
        storageNode: `file://${nodesFile}`,
        'storageNode.name': `storage-${storagePort}`, // the pod's name
      };
      const given = (container?.args ?? []).map((arg) => {
        const [flag = '', value] = arg.slice(1).split(/=(.*)/s);
        return value === '' || changed[flag] === undefined ? arg : `-${flag}=${changed[flag]}`;
      });
      // The image's own default, where the chart names none.
      const http = given.some((arg) => arg.startsWith('-httpListenAddr='))
        ? []
        : [`-httpListenAddr=${changed['httpListenAddr']}`];
      const child = await Child.start(launcher, [...given, ...http]);
      children.push(child);
      const path = container?.readinessProbe.httpGet.path ?? '';
      for (let asked = 0; asked < 400 && child.isRunning; asked++) {
        const status = await fetch(url + path).then(
          (reply) => reply.status,
          () => 0,
        );
        if (status === 200) return url;
        await delay(100);
      }
      throw new Error(`${name} is not ready:\n${child.output}`);
    }

    try {
      const storage = await Promise.all(storagePorts.map((port) => start('storage', port)));
      const [insert, select] = await Promise.all([start('insert'), start('select')]);
      for (let trace = 1; trace <= TRACES; trace++) {
        const body = Buffer.from(encodeRequest(oneSpan(trace)));
        const headers = { 'content-type': 'application/x-protobuf' };
        const reply = await fetch(`${insert}/insert/opentelemetry/v1/traces`, { method: 'POST', headers, body });
        expect(reply.status, await reply.text()).toBe(200);
      }
      const found = async (url: string): Promise<number> => {
        const reply = await fetch(`${url}/select/jaeger/api/traces?service=s&limit=100`);
        return ((await reply.json()) as { data: unknown[] }).data.length;
      };
      expect(await found(select)).toBe(TRACES);
      const shares = await Promise.all(storage.map(found));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(TRACES);
      expect(Math.min(...shares), 'each storage node has a share').toBeGreaterThan(0);
      for (const child of children.reverse()) expect(await child.stop()).toBe(0);
    } finally {
      for (const child of children) await child.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  240_000,
);
