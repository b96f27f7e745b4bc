// A cluster of real Apache Kafka brokers, each a controller as well (KRaft), on ports that stay through restarts, each with a folder
// of its own; each can be killed, stopped and continued. The jars are those of test/deploy/tools/get-kafka.sh, in the folder
// that TRACELITH_KAFKA_JARS names.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Admin, ConfigResourceTypes, type ClusterMetadata } from '@platformatic/kafka';
import { Child, findFreePort } from './child.ts';

/** Of a start; a busy machine is not taken for a hang. */
const TRIES = 2_400;
const POLL_MS = 50;
const CLUSTER_ID = 'dHJhY2VsaXRoLWthZmthLQ';
const JAVA = ['-Xmx256m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

const jars = (): string | undefined => process.env['TRACELITH_KAFKA_JARS'];

/** Whether the jars are there, and a Java that runs them. */
export function hasKafka(): boolean {
  const folder = jars();
  if (folder === undefined || !existsSync(folder)) return false;
  return readdirSync(folder).some((name) => name.startsWith('kafka_')) && spawnSync('java', ['-version']).status === 0;
}

export interface KafkaBrokersOptions {
  /** 3 when absent. */
  readonly brokers?: number;
  /** Beside or instead of what stands below. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What clients are told of a broker's address, by its own port; the own address when absent. For a proxy in front of it. */
  readonly advertised?: (port: number) => Promise<number>;
  /** Given to the tool that makes a broker's folder: `--add-scram …`. */
  readonly format?: readonly string[];
}

export class KafkaBroker {
  readonly id: number;
  /** For a client: 127.0.0.1:PORT */
  readonly address: string;
  /** Its messages lie below it. */
  readonly folder: string;
  readonly #port: number;
  readonly #config: string;
  readonly #format: readonly string[];
  #child: Child | undefined;

  constructor(
    id: number,
    {
      folder,
      port,
      settings,
      format,
    }: { folder: string; port: number; settings: Readonly<Record<string, string>>; format: readonly string[] },
  ) {
    this.id = id;
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
    this.folder = join(folder, `broker-${id}`);
    mkdirSync(this.folder);
    this.#config = join(folder, `broker-${id}.properties`);
    this.#format = format;
    const all = { ...settings, 'node.id': `${id}`, 'log.dirs': this.folder };
    writeFileSync(
      this.#config,
      Object.entries(all)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  /** The last of what it printed since its last start. */
  get output(): string {
    return this.#child?.output ?? '';
  }

  /** Makes its folder, before the first start. */
  async format(): Promise<void> {
    const tool = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', this.#config, ...this.#format];
    const child = await startJava(tool);
    await waitFor(
      () => child.output,
      async () => !child.isRunning,
    );
    if (!existsSync(join(this.folder, 'meta.properties'))) throw new Error(`a broker's folder:\n${child.output}`);
  }

  /** Resolves when its port is open; whether it leads anything is what a client sees. */
  async start(): Promise<void> {
    const child = await startJava(['kafka.Kafka', this.#config]);
    this.#child = child;
    await waitFor(
      () => this.output,
      async () => !child.isRunning || (await isOpen(this.#port)),
    );
    if (!child.isRunning) throw new Error(`broker ${this.id} did not start:\n${child.output}`);
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
    process.kill(this.#pid, 'SIGSTOP');
  }

  /** SIGCONT */
  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  get #pid(): number {
    if (this.#child === undefined) throw new Error(`broker ${this.id} was not started`);
    return this.#child.pid;
  }
}

export class KafkaBrokers implements AsyncDisposable {
  readonly brokers: readonly KafkaBroker[];
  readonly #folder: string;

  private constructor(folder: string, brokers: readonly KafkaBroker[]) {
    this.#folder = folder;
    this.brokers = brokers;
  }

  /** Started when it resolves. */
  static async open(options: KafkaBrokersOptions = {}): Promise<KafkaBrokers> {
    const {
      brokers: count = 3,
      settings = {},
      format = [],
      advertised = async (port): Promise<number> => port,
    } = options;
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-kafka-'));
    const ports: { readonly [_ in 'client' | 'advertised' | 'internal' | 'controller']: number }[] = [];
    for (let i = 0; i < count; i++) {
      const client = await findFreePort();
      const [internal, controller] = [await findFreePort(), await findFreePort()];
      ports.push({ client, advertised: await advertised(client), internal, controller });
    }
    const voters = ports.map(({ controller }, i) => `${i + 1}@127.0.0.1:${controller}`).join(',');
    const brokers = ports.map((own, i) => {
      const ownSettings = {
        'process.roles': 'broker,controller',
        'controller.quorum.voters': voters,
        'controller.listener.names': 'CONTROLLER',
        listeners: `CLIENT://127.0.0.1:${own.client},INTERNAL://127.0.0.1:${own.internal},CONTROLLER://127.0.0.1:${own.controller}`,
        'advertised.listeners': `CLIENT://127.0.0.1:${own.advertised},INTERNAL://127.0.0.1:${own.internal}`,
        'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name': 'INTERNAL',
        'auto.create.topics.enable': 'false',
        // As docs/operations/log.md asks: a broker that is gone is missed after 3 s.
        'broker.session.timeout.ms': '3000',
        'broker.heartbeat.interval.ms': '500',
        'offsets.topic.replication.factor': '1',
        ...settings,
      };
      return new KafkaBroker(i + 1, { folder, port: own.client, settings: ownSettings, format });
    });
    const cluster = new KafkaBrokers(folder, brokers);
    try {
      await Promise.all(brokers.map((broker) => broker.format()));
      await Promise.all(brokers.map((broker) => broker.start()));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** For a client: HOST:PORT,HOST:PORT */
  get addresses(): string {
    return this.brokers.map(({ address }) => address).join(',');
  }

  /** The broker that leads a partition, by what the others say; waits for an election. */
  async leaderOf(topic: string, partition: number): Promise<KafkaBroker> {
    let leader: KafkaBroker | undefined;
    await waitFor(
      () => `partition ${partition} of ${topic} has no leader`,
      async () => {
        const look = async (admin: Admin): Promise<ClusterMetadata> => await admin.metadata({ topics: [topic] });
        const metadata = await this.#administer(look).catch(() => undefined);
        const id = metadata?.topics.get(topic)?.partitions[partition]?.leader;
        leader = this.brokers.find((broker) => broker.id === id && broker.isRunning);
        return leader !== undefined;
      },
    );
    return leader!;
  }

  /** Changes settings of a topic, as kafka-configs.sh does. */
  async alter(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value, configOperation: 0 as const }));
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }];
    await this.#administer(async (admin) => await admin.incrementalAlterConfigs({ resources }));
  }

  /** As an operator makes one: three replicas, of which two must have a message. */
  async make(topic: string, partitions: number): Promise<void> {
    const configs = [{ name: 'min.insync.replicas', value: '2' }];
    await this.#administer(
      async (admin) => await admin.createTopics({ topics: [topic], partitions, replicas: 3, configs }),
    );
  }

  async remove(topic: string): Promise<void> {
    await this.#administer(async (admin) => await admin.deleteTopics({ topics: [topic] }));
  }

  async #administer<T>(act: (admin: Admin) => Promise<T>): Promise<T> {
    const alive = this.brokers.filter(({ isRunning }) => isRunning).map(({ address }) => address);
    const base = { clientId: 'harness', bootstrapBrokers: alive, retries: 0, timeout: 2_000 };
    const admin = new Admin({ ...base, connectTimeout: 1_000, requestTimeout: 5_000 });
    try {
      return await act(admin);
    } finally {
      await admin.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.kill9()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function javaArgs(args: readonly string[]): string[] {
  const folder = jars();
  if (folder === undefined) throw new Error('TRACELITH_KAFKA_JARS is not set');
  return [...JAVA, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(folder, '*'), ...args];
}

async function startJava(args: readonly string[]): Promise<Child> {
  return await Child.start('java', javaArgs(args));
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Throws with what `describe` says when `isDone` never is. */
async function waitFor(describe: () => string, isDone: () => Promise<boolean>): Promise<void> {
  for (let tried = 0; !(await isDone()); tried++) {
    if (tried > TRIES) throw new Error(`waited in vain: ${describe()}`);
    await delay(POLL_MS);
  }
}
