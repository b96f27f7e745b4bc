// A Compose file of deploy/compose as podman-compose starts it, with images that this machine has: services whose image has no
// stand-in are left out. Everything else is as in the file but for ports, which are free ones, and limits that not every kernel lets
// a container raise.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { findFreePort } from '../../native-bench/harness/child.ts';
import { hasProgram } from './repository-copy.ts';
import { root } from './source-tree.ts';
import { readYaml } from './yaml-files.ts';

const FOLDER = join(root, 'deploy/compose');
const LIMITS = { nofile: { soft: 16_384, hard: 16_384 }, nproc: { soft: 4_096, hard: 4_096 } };
/** Services find each other by name only with it. */
const hasNames = ['/usr/lib/podman', '/usr/libexec/podman'].some((path) => existsSync(join(path, 'aardvark-dns')));

export const hasCompose: boolean = hasNames && hasProgram('podman-compose', '--version');

interface Service {
  readonly image: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly [key: string]: unknown;
}

export class ComposeProject implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tracelith-compose-'));
  readonly #name: string;
  /** Ports of this machine by those of the file. */
  readonly #ports = new Map<string, number>();

  private constructor(name: string) {
    this.#name = name;
  }

  /** Starts `file` with `images`: stand-ins by the names of images without their versions. */
  static async start(file: string, images: Readonly<Record<string, string>>): Promise<ComposeProject> {
    // A name of its own: volumes of a run that was cut off must not be taken for this one's.
    const project = new ComposeProject(`tracelith-test-${file.replace('.yaml', '')}-${randomBytes(4).toString('hex')}`);
    const { services, volumes } = readYaml(join('deploy/compose', file), true) as {
      services: Record<string, Service>;
      volumes: object;
    };
    const kept: Record<string, unknown> = {};
    for (const [name, { build: _, ...service }] of Object.entries(services)) {
      const image = images[service.image.replace(/:[^:/]*$/, '')];
      if (image !== undefined) kept[name] = await project.#placed(service, image);
    }
    project.#write('compose.yaml', stringify({ services: kept, volumes }));
    const engine = hasProgram('runc', '--version') ? '[engine]\nruntime = "runc"\n' : '';
    project.#write('containers.conf', `${engine}[network]\nnetwork_backend = "netavark"\n`);
    try {
      project.up();
    } catch (error) {
      await project[Symbol.asyncDispose]();
      throw error;
    }
    return project;
  }

  async #placed(service: Service, image: string): Promise<object> {
    const { ports = [], volumes = [] } = service;
    for (const port of ports) this.#ports.set(port.split(':').at(-1)!, await findFreePort());
    return {
      ...service,
      image,
      ulimits: LIMITS,
      ports: [...ports].map((port) =>
        port.replace(/:\d+:(\d+)$/, (_, inside: string) => `:${this.#ports.get(inside)}:${inside}`),
      ),
      volumes: [...volumes].map((volume) => (volume.startsWith('.') ? join(FOLDER, volume) : volume)),
    };
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#folder, name), text);
  }

  /** `http://…` of a port that the file publishes. */
  url(port: number): string {
    return `http://127.0.0.1:${this.#ports.get(String(port))}`;
  }

  /** Starts all services, made anew where they are gone. */
  up(): void {
    this.#run('podman-compose', '-p', this.#name, 'up', '-d', '--no-build');
  }

  /** Stops and removes all services. Their volumes stay. */
  down(...options: readonly string[]): void {
    this.#run('podman-compose', '-p', this.#name, 'down', ...options);
  }

  stopService(name: string): void {
    this.#run('podman', 'stop', `${this.#name}_${name}_1`);
  }

  /** Polls until `isDone`. Throws with the containers and the last of their logs if it takes too long. */
  async until(isDone: () => Promise<boolean>): Promise<void> {
    for (let asked = 0; asked < 600; asked++) {
      if (await isDone().catch(() => false)) return;
      await delay(300);
    }
    const names = this.#containers();
    const logs = names.map((name) => `${name}:\n${this.#run('podman', 'logs', '--tail=10', name)}`);
    throw new Error(`the services are not ready:\n${logs.join('\n')}`);
  }

  #containers(): string[] {
    const names = this.#run('podman', 'ps', '-a', '--format={{.Names}}').split('\n');
    return names.filter((name) => name.startsWith(this.#name));
  }

  /** Returns what it printed on both streams. */
  #run(program: string, ...args: readonly string[]): string {
    const env = { ...process.env, CONTAINERS_CONF: join(this.#folder, 'containers.conf') };
    const command = ['-c', '"$@" 2>&1', 'sh', program, ...args];
    return execFileSync('sh', command, { cwd: this.#folder, env, encoding: 'utf8' });
  }

  [Symbol.asyncDispose](): Promise<void> {
    // `down -v` leaves the volumes of images, which no service names.
    const containers = this.#containers();
    if (containers.length > 0) this.#run('podman', 'rm', '-f', '-v', '-t', '1', ...containers);
    this.down('-v');
    rmSync(this.#folder, { recursive: true, force: true });
    return Promise.resolve();
  }
}
