// A cluster of real nats-server processes with JetStream that syncs each message before it is acknowledged: on ports that stay through
// restarts, each with a folder of its own, and each can be killed, stopped and continued.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Child, findFreePort } from './child.ts';

/** Of a start and of an election; a busy machine is not taken for a hang. */
const TRIES = 2_400;
const POLL_MS = 25;

/** Whether the program is a nats-server that can sync each message (2.10 or later). */
export function hasNatsServer(program = 'nats-server'): boolean {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const [, major = '', minor = ''] = /v(\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
  return status === 0 && (Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 10));
}

export interface NatsServersOptions {
  /** 3 when absent. */
  readonly servers?: number;
  /** Where JetStream stores, by the number of the server from 0: for a disk of its own. In the folder of the cluster when absent. */
  readonly storePaths?: readonly (string | undefined)[];
  /** The address under which clients find the server at the given one: of a proxy. Its own when absent. */
  readonly through?: (address: string) => Promise<string>;
  /** As `through`, for the way of one server (the first number, from 0) to another. Their own when absent. */
  readonly routeThrough?: (address: string, from: number, to: number) => Promise<string>;
  /** false: acknowledged before it is synced, as nats-server does when nothing is said. */
  readonly syncAlways?: boolean;
  /** max_payload, 8MB for example; 1MB, as NATS has it, when absent. */
  readonly maxPayload?: string;
  /** nats-server when absent. */
  readonly program?: string;
}

interface Settings {
  readonly program: string;
  readonly name: string;
  readonly folder: string;
  readonly storePath: string;
  readonly address: string;
  readonly monitorPort: number;
  readonly config: string;
}

export class NatsServer {
  readonly name: string;
  /** For a client: HOST:PORT */
  readonly address: string;
  /** http://127.0.0.1:PORT of /varz and /jsz. */
  readonly monitorUrl: string;
  /** JetStream's files lie below it. */
  readonly storePath: string;
  readonly #program: string;
  readonly #configPath: string;
  #child: Child | undefined;

  constructor({ program, name, folder, storePath, address, monitorPort, config }: Settings) {
    this.#program = program;
    this.name = name;
    this.address = address;
    this.monitorUrl = `http://127.0.0.1:${monitorPort}`;
    this.storePath = storePath;
    this.#configPath = join(folder, `${name}.conf`);
    writeFileSync(this.#configPath, config);
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  /** Throws when it was never started. */
  get pid(): number {
    if (this.#child === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  /** The last of what it printed since its last start. */
  get output(): string {
    return this.#child?.output ?? '';
  }

  /** Resolves when it answers; that it has caught up is what waitUntilHealthy says. */
  async start(): Promise<void> {
    const child = await Child.start(this.#program, ['-c', this.#configPath]);
    this.#child = child;
    await waitFor(
      () => this.output,
      async () => !child.isRunning || (await this.ask('/varz')) !== undefined,
    );
    if (!child.isRunning) throw new Error(`${this.name} did not start:\n${child.output}`);
  }

  async kill9(): Promise<void> {
    await this.#child?.kill();
  }

  /** As a rolling restart does: it hands its leaderships over and leaves. */
  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** SIGSTOP: its sockets stay open, and nobody answers. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** SIGCONT */
  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** What the monitoring port answers; undefined: nothing, or that it is not healthy. */
  async ask(path: string): Promise<unknown> {
    return await fetch(`${this.monitorUrl}${path}`, { signal: AbortSignal.timeout(2_000) }).then(
      async (reply) => (reply.status === 200 ? await reply.json() : (await reply.text(), undefined)),
      () => undefined,
    );
  }

  /** Its JetStream has all that the others have. */
  async waitUntilHealthy(): Promise<void> {
    await waitFor(
      () => `${this.name} does not become healthy:\n${this.output}`,
      async () => (await this.ask('/healthz')) !== undefined,
    );
  }
}

interface Ports {
  readonly client: number;
  readonly monitor: number;
  readonly cluster: number;
}

interface StreamsPage {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
  }[];
}

export class NatsServers implements AsyncDisposable {
  readonly servers: readonly NatsServer[];
  readonly #folder: string;

  private constructor(folder: string, servers: readonly NatsServer[]) {
    this.#folder = folder;
    this.servers = servers;
  }

  /** Started, with a leader, when it resolves. */
  static async open({
    servers: count = 3,
    storePaths = [],
    syncAlways = true,
    maxPayload = '1MB',
    program = 'nats-server',
    through = async (address) => address,
    routeThrough,
  }: NatsServersOptions = {}): Promise<NatsServers> {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-nats-'));
    const ports: Ports[] = [];
    for (let i = 0; i < count; i++) {
      ports.push({ client: await findFreePort(), monitor: await findFreePort(), cluster: await findFreePort() });
    }
    const servers: NatsServer[] = [];
    for (const [i, own] of ports.entries()) {
      const name = `nats-${i + 1}`;
      const storePath = storePaths[i] ?? join(folder, name);
      mkdirSync(storePath, { recursive: true });
      const address = await through(`127.0.0.1:${own.client}`);
      const routes = await routesOf(ports, i, routeThrough);
      const config = [
        `server_name: ${name}`,
        `client_advertise: "${address}"`,
        `listen: 127.0.0.1:${own.client}`,
        `http: 127.0.0.1:${own.monitor}`,
        `max_payload: ${maxPayload}`,
        `jetstream { store_dir: "${storePath}"${syncAlways ? ', sync_interval: always' : ''} }`,
        ...(count > 1 ? [`cluster { name: tracelith, listen: 127.0.0.1:${own.cluster}, ${routes} }`] : []),
      ].join('\n');
      servers.push(new NatsServer({ program, name, folder, storePath, address, monitorPort: own.monitor, config }));
    }
    const cluster = new NatsServers(folder, servers);
    try {
      await Promise.all(servers.map((server) => server.start()));
      await Promise.all(servers.map((server) => server.waitUntilHealthy()));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** For a client: HOST:PORT,HOST:PORT */
  get addresses(): string {
    return this.servers.map(({ address }) => address).join(',');
  }

  /** For -ingestLog's monitoring: URL,URL */
  get monitorUrls(): string {
    return this.servers.map(({ monitorUrl }) => monitorUrl).join(',');
  }

  /** The leader of a stream, by what a majority's member says; waits for an election. */
  async leaderOf(stream: string): Promise<NatsServer> {
    let leader: NatsServer | undefined;
    await waitFor(
      () => `stream ${stream} has no leader`,
      async () => {
        for (const server of this.servers.filter(({ isRunning }) => isRunning)) {
          const page = (await server.ask('/jsz?accounts=true&streams=true')) as StreamsPage | undefined;
          const details = page?.account_details?.flatMap(({ stream_detail = [] }) => stream_detail) ?? [];
          const name = details.find((detail) => detail.name === stream)?.cluster?.leader;
          leader = this.servers.find((one) => one.name === name && one.isRunning);
          if (leader !== undefined) return true;
        }
        return false;
      },
    );
    return leader!;
  }

  /** Drops the messages of a stream before the sequence `before`, or all, as the retention does. */
  async drop(stream: string, before?: number): Promise<void> {
    await this.#manage((streams) => streams.purge(stream, before === undefined ? undefined : { seq: before }));
  }

  /** With its messages. */
  async delete(stream: string): Promise<void> {
    await this.#manage((streams) => streams.delete(stream));
  }

  async #manage(change: (streams: JetStreamManager['streams']) => Promise<unknown>): Promise<void> {
    const connection = await connect({ servers: this.addresses.split(',') });
    try {
      await change((await jetstreamManager(connection)).streams);
    } finally {
      await connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill9()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As the configuration of server `from` has them. */
async function routesOf(
  ports: readonly Ports[],
  from: number,
  through: NatsServersOptions['routeThrough'],
): Promise<string> {
  const routes: string[] = [];
  for (const [to, { cluster }] of ports.entries()) {
    const address = `127.0.0.1:${cluster}`;
    routes.push(`nats://${(await through?.(address, from, to)) ?? address}`);
  }
  // Nobody listens there: otherwise servers tell each other ways around the given ones.
  const advertised = through === undefined ? '' : 'advertise: "127.0.0.1:1", ';
  return `${advertised}routes: [${routes.join(', ')}]`;
}

/** Throws with what `describe` says when `isDone` never is. */
async function waitFor(describe: () => string, isDone: () => Promise<boolean>): Promise<void> {
  for (let tried = 0; !(await isDone()); tried++) {
    if (tried > TRIES) throw new Error(`waited in vain: ${describe()}`);
    await delay(POLL_MS);
  }
}
