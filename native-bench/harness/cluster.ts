// A cluster of real processes on this machine: storage, insert and select nodes on ports of their own, which they keep when they
// are killed and started again. With a proxy in front, as in production.
import { join } from 'node:path';
import { Child, findFreePort } from './child.ts';
import { launcher, waitUntilHealthy } from './node-process.ts';

export type Role = 'storage' | 'insert' | 'select';

/** The ports of one member; a role listens on some of them. */
interface Ports {
  readonly http: number;
  readonly otlpGrpc: number;
  readonly jaegerGrpc: number;
  readonly storage: number;
}

export class Member {
  readonly name: string;
  readonly role: Role;
  readonly ports: Ports;
  readonly #flags: readonly string[];
  #child: Child | undefined;

  constructor(options: { name: string; role: Role; ports: Ports; flags: readonly string[] }) {
    this.name = options.name;
    this.role = options.role;
    this.ports = options.ports;
    this.#flags = options.flags;
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error(`${this.name} is not running`);
    return this.#child.pid;
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#child?.output ?? '';
  }

  /** Resolves when /health answers 200. */
  async start(): Promise<void> {
    this.#child = await Child.start(launcher, this.#flags);
    await waitUntilHealthy(this.#child, this.url);
  }

  async kill9(): Promise<void> {
    await this.#child?.kill();
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }
}

export interface StorageSetup {
  readonly name: string;
  readonly flags: readonly string[];
}

export interface ClusterOptions {
  /** Data directories of the storage nodes go below it. */
  readonly path: string;
  readonly inserts: number;
  readonly selects: number;
  /** How many, called storage-1 and so on; or each by name with flags of its own. */
  readonly storages: number | readonly StorageSetup[];
  /** Further flags of every member of a role. */
  readonly flags?: Partial<Readonly<Record<Role, readonly string[]>>>;
  /** Select nodes can be named as storage nodes, too: a select above them can ask them. */
  readonly areSelectsNodes?: boolean;
}

export class Cluster implements AsyncDisposable {
  readonly members: readonly Member[];

  constructor(members: readonly Member[]) {
    this.members = members;
  }

  of(role: Role): Member[] {
    return this.members.filter((member) => member.role === role);
  }

  /** Throws when there is no such member. */
  named(name: string): Member {
    const found = this.members.find((member) => member.name === name);
    if (found === undefined) throw new Error(`the cluster has no ${name}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}

/** Starts all members. Throws when one does not start, and stops the others. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { path, inserts, selects, storages, flags = {}, areSelectsNodes = false } = options;
  const setups =
    typeof storages === 'number' ? numbered('storage', storages).map((name) => ({ name, flags: [] })) : storages;
  const ownFlags = new Map<string, readonly string[]>(setups.map((setup) => [setup.name, setup.flags]));
  const storage = await make('storage', [...ownFlags.keys()], (name, { storage: port }) => [
    `-storageDataPath=${join(path, name)}`,
    `-storageNode.name=${name}`,
    `-storage.listenAddr=127.0.0.1:${port}`,
    '-otlpGRPCListenAddr=',
    '-grpc.listenAddr=',
    ...(flags.storage ?? []),
    ...(ownFlags.get(name) ?? []),
  ]);
  const nodes = `-storageNode=${storage.map(({ ports }) => `127.0.0.1:${ports.storage}`).join(',')}`;
  const insert = await make('insert', numbered('insert', inserts), (_name, { otlpGrpc }) => [
    nodes,
    '-select.disable',
    `-otlpGRPCListenAddr=127.0.0.1:${otlpGrpc}`,
    ...(flags.insert ?? []),
  ]);
  const select = await make('select', numbered('select', selects), (_name, { jaegerGrpc, storage: port }) => [
    nodes,
    '-insert.disable',
    ...(areSelectsNodes ? [`-storage.listenAddr=127.0.0.1:${port}`] : []),
    `-grpc.listenAddr=127.0.0.1:${jaegerGrpc}`,
    ...(flags.select ?? []),
  ]);
  const cluster = new Cluster([...insert, ...select, ...storage]);
  try {
    // One after the other: seven programs that start at once keep each other waiting on a small machine.
    for (const member of [...storage, ...insert, ...select]) await member.start();
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

function numbered(role: Role, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${role}-${i + 1}`);
}

async function make(
  role: Role,
  names: readonly string[],
  flagsOf: (name: string, ports: Ports) => readonly string[],
): Promise<Member[]> {
  const members: Member[] = [];
  for (const name of names) {
    const ports = {
      http: await findFreePort(),
      otlpGrpc: await findFreePort(),
      jaegerGrpc: await findFreePort(),
      storage: await findFreePort(),
    };
    const flags = [`-httpListenAddr=127.0.0.1:${ports.http}`, '-otlpHTTPListenAddr=', ...flagsOf(name, ports)];
    members.push(new Member({ name, role, ports, flags }));
  }
  return members;
}

/** The addresses that deploy/haproxy/cluster.cfg and deploy/nginx/cluster.conf have, of these members. */
export function proxyAddresses(cluster: Cluster): Record<string, string> {
  const at = (port: number): string => `127.0.0.1:${port}`;
  const addresses: Record<string, string> = {};
  for (const { name, ports } of cluster.of('insert'))
    Object.assign(addresses, { [`${name}:10481`]: at(ports.http), [`${name}:4317`]: at(ports.otlpGrpc) });
  for (const { name, ports } of cluster.of('select'))
    Object.assign(addresses, { [`${name}:10471`]: at(ports.http), [`${name}:17271`]: at(ports.jaegerGrpc) });
  return addresses;
}
