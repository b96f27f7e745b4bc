// The proxies of deploy/ as real programs: HAProxy and nginx with the checked-in configuration, its addresses replaced.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child, findFreePort } from './child.ts';

const root = new URL('../../', import.meta.url).pathname;
const TRIES = 200;

export type ProxyName = 'haproxy' | 'nginx';
export type Setup = 'cluster' | 'pair';

/** Addresses of the nodes by their names in the configuration: { 'node-a:10428': '127.0.0.1:4711' }. */
export type NodeAddresses = Readonly<Record<string, string>>;

/** Whether the program is on this machine. */
export function hasProxy(name: ProxyName): boolean {
  return spawnSync(name, ['-v']).status === 0;
}

export class Proxy implements AsyncDisposable {
  readonly #child: Child;
  readonly #folder: string;
  /** http://127.0.0.1:PORT */
  readonly url: string;
  /** 127.0.0.1:PORT; of a pair nobody listens there. */
  readonly grpcAddress: string;
  readonly jaegerAddress: string;

  constructor(child: Child, folder: string, [http, otlp, jaeger]: readonly number[]) {
    this.#child = child;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${http}`;
    this.grpcAddress = `127.0.0.1:${otlp}`;
    this.jaegerAddress = `127.0.0.1:${jaeger}`;
  }

  get log(): string {
    return this.#child.output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Starts the proxy with a file of deploy/, and waits until it answers. */
export async function startProxy(name: ProxyName, setup: Setup, nodes: NodeAddresses): Promise<Proxy> {
  const ports = [await findFreePort(), await findFreePort(), await findFreePort()];
  const folder = mkdtempSync(join(tmpdir(), `tracelith-${name}-`));
  const text = readFileSync(join(root, 'deploy', name, `${setup}.${name === 'nginx' ? 'conf' : 'cfg'}`), 'utf8');
  const file = join(folder, 'conf');
  writeFileSync(file, name === 'nginx' ? wholeNginx(folder, placed(text, ports, nodes)) : placed(text, ports, nodes));
  const args = name === 'nginx' ? ['-p', folder, '-e', 'stderr', '-c', file] : ['-db', '-f', file];
  const proxy = new Proxy(await Child.start(name, args), folder, ports);
  try {
    await answers(proxy);
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    throw error;
  }
  return proxy;
}

/** The configuration with real ports and addresses. Throws when an address of it is not given. */
function placed(text: string, ports: readonly number[], nodes: NodeAddresses): string {
  const address = (given: string): string => {
    const found = nodes[given];
    if (found === undefined) throw new Error(`the configuration has ${given}, which the test does not know`);
    return found;
  };
  const [http, otlp, jaeger] = ports;
  return text
    .replaceAll(/#.*/g, '')
    .replaceAll(/\b(\S+):\d+ .*\bport (\d+)/g, (line: string, node: string, check: string) => {
      return line.replace(/\d+$/, address(`${node}:${check}`).split(':')[1]!);
    })
    .replaceAll(/\b(?:insert|select|node)-\w+:\d+/g, address)
    .replaceAll(/\b(bind :|listen )8427\b/g, `$1${http}`)
    .replaceAll(/\b(bind :|listen )4317\b/g, `$1${otlp}`)
    .replaceAll(/\b(bind :|listen )17271\b/g, `$1${jaeger}`)
    .replaceAll('bind :', 'bind 127.0.0.1:')
    .replaceAll(/listen (\d+)/g, 'listen 127.0.0.1:$1');
}

/** As /etc/nginx/nginx.conf, with everything below `folder`. */
function wholeNginx(folder: string, servers: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => {
    mkdirSync(join(folder, kind));
    return `${kind}_temp_path ${join(folder, kind)};`;
  });
  const main = ['daemon off;', 'master_process off;', 'error_log stderr warn;', `pid ${join(folder, 'pid')};`];
  return `${main.join('\n')}\nevents {}\nhttp {\naccess_log off;\n${paths.join('\n')}\n${servers}\n}\n`;
}

async function answers(proxy: Proxy): Promise<void> {
  let status = 0;
  for (let tried = 0; tried < TRIES; tried++) {
    status = await fetch(`${proxy.url}/select/ready`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await delay(50);
  }
  throw new Error(`the proxy does not answer: ${status}\n${proxy.log}`);
}
