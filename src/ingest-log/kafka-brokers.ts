// Who leads each partition of one Kafka topic, and connections to them. What the brokers said last is kept until somebody says that
// it was wrong (forget). There is no retry here: a call that got no answer fails, and its caller decides.
import { setTimeout as delay } from 'node:timers/promises';
import {
  Connection,
  createTopicsV7,
  findErrorBy,
  metadataV12,
  ResponseError,
  type API,
  type ConnectionOptions,
} from '@platformatic/kafka';
import { StoreError } from '../base/errors.ts';

/** Time for a connection, login and all. */
const CONNECT_MS = 1_000;
/** Time for an answer: longer than what a broker is told to wait at most (KafkaLog). */
const CALL_MS = 2_000;
/** A topic is made by the controller, and its partitions on every broker. */
const CREATE_MS = 10_000;
/** A broker that was cut off while it was a leader takes itself for one, and answers: so the others are asked now and then. */
const TOPIC_AGE_MS = 5_000;
/** Between two looks whether a topic that was made has leaders. */
const LOOK_MS = 100;
const UNKNOWN_TOPIC = 3;
/** A leadership moves in milliseconds while both brokers are there. */
const MOVE_MS = 50;
const MOVES_MAX = 5;
const MOVED: ReadonlySet<string | undefined> = new Set([
  'FENCED_LEADER_EPOCH',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  // The next leader does not know at once how far all have come.
  'OFFSET_NOT_AVAILABLE',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_ID',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

export interface KafkaBrokersOptions {
  /** host:port of some brokers; they tell of the others. */
  readonly servers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly connection?: Pick<ConnectionOptions, 'tls' | 'sasl'> | undefined;
  /** The topic is made so when it is not there. undefined: it must be. */
  readonly create?: Pick<createTopicsV7.CreateTopicsRequestTopic, 'replicationFactor' | 'configs'> | undefined;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface KafkaPartition {
  /** undefined: none, or on a broker that is not there. */
  readonly leader: Address | undefined;
  /** Brokers refuse a call with an older or newer one than theirs, so none is asked that was superseded. */
  readonly leaderEpoch: number;
  readonly replicas: number;
  readonly inSync: number;
}

export interface KafkaTopic {
  readonly id: string;
  readonly partitions: readonly KafkaPartition[];
}

type AskLeader<T> = (connection: Connection, topic: KafkaTopic, partition: KafkaPartition) => Promise<T>;

export class KafkaBrokers {
  readonly #options: KafkaBrokersOptions;
  readonly #open = new Set<Connection>();
  /** Those of the options, then those that they told of. */
  #servers: readonly Address[];
  /** The server that is asked next: another one each time, as one may be cut off and not know it. */
  #turn = 0;
  #topic: Promise<KafkaTopic> | undefined;
  #askedMs = 0;
  #newest: KafkaTopic | undefined;
  #isClosed = false;

  /** Connects with the first call. */
  constructor(options: KafkaBrokersOptions) {
    this.#options = options;
    this.#servers = options.servers.map(addressOf);
  }

  /** As the brokers said it in the last seconds. Throws UNAVAILABLE. */
  topic(): Promise<KafkaTopic> {
    const isOld = performance.now() - this.#askedMs > TOPIC_AGE_MS;
    if (this.#topic === undefined || isOld) {
      this.#askedMs = performance.now();
      const topic = this.#ask();
      // Nobody waits for it while there is one that is most likely right.
      if (this.#topic === undefined) this.#topic = topic;
      else
        topic.then(
          () => (this.#topic = topic),
          () => undefined,
        );
      topic.catch(() => this.forget(topic));
    }
    return this.#topic;
  }

  /** What was said of the topic is wrong. `topic`: unless somebody has asked again since. */
  forget(topic?: Promise<KafkaTopic>): void {
    if (topic === undefined || this.#topic === topic) this.#topic = undefined;
  }

  /** Asks any broker. Throws UNAVAILABLE. */
  async ask<A extends unknown[], T>(api: API<A, T>, args: A, timeoutMs?: number): Promise<T> {
    const connection = await this.#connectToAnyone(timeoutMs);
    try {
      return await api.async(connection, ...args);
    } catch (error) {
      throw away(error);
    } finally {
      dropped(connection);
    }
  }

  /** A connection of the caller's own. Kafka answers the calls of one connection in order. Throws UNAVAILABLE. */
  async connect({ host, port }: Address, requestTimeout: number = CALL_MS): Promise<Connection> {
    if (this.#isClosed) throw new StoreError('UNAVAILABLE', 'the log is closed');
    const options = { connectTimeout: CONNECT_MS, requestTimeout, ...this.#options.connection };
    const connection = new Connection('tracelith', options);
    // Who calls over it gets the error as well.
    connection.on('error', () => undefined);
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
    try {
      await connection.connect(host, port);
    } catch (error) {
      this.#open.delete(connection);
      dropped(connection);
      throw away(error);
    }
    if (this.#isClosed) dropped(connection);
    return connection;
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#open) dropped(connection);
  }

  async #connectToAnyone(timeoutMs?: number): Promise<Connection> {
    let failure: unknown;
    for (let tried = 0; tried < this.#servers.length; tried++) {
      try {
        return await this.connect(this.#servers[this.#turn++ % this.#servers.length]!, timeoutMs);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #ask(): Promise<KafkaTopic> {
    const { topic: name, partitions, create } = this.#options;
    let topic = await this.#lookUp();
    if (topic === undefined && create !== undefined) {
      await this.#make(create);
      for (let looks = 0; looks * LOOK_MS < CREATE_MS && topic === undefined; looks++) {
        await delay(LOOK_MS);
        topic = await this.#lookUp();
      }
    }
    if (topic === undefined) {
      const how = 'an insert node makes it, or `kafka-topics.sh --create`';
      throw new StoreError('UNAVAILABLE', `the log (Kafka) has no topic ${JSON.stringify(name)}: ${how}`);
    }
    if (topic.partitions.length === partitions) return (this.#newest = newestOf(topic, this.#newest));
    const has = `the topic ${JSON.stringify(name)} has ${topic.partitions.length} partitions`;
    throw new StoreError('UNAVAILABLE', `${has}, -ingestLog.partitions is ${partitions}; they must be the same`);
  }

  /** undefined: it is not there. */
  async #lookUp(): Promise<KafkaTopic | undefined> {
    const { topic: name } = this.#options;
    const ask = this.ask(metadataV12.api, [[name], false, false]);
    // A partition without a leader is an error to the client, and its answer is whole all the same.
    const { topics, brokers } = await ask.catch((error: unknown) => responseOf<Awaited<typeof ask>>(error));
    const found = topics.find((topic) => topic.name === name);
    if (found === undefined || found.partitions.length === 0) {
      // An account that may not see it, for one.
      if (found?.errorCode !== UNKNOWN_TOPIC) await ask;
      return undefined;
    }
    const { servers } = this.#options;
    const others = brokers.filter(({ host, port }) => !servers.includes(`${host}:${port}`));
    this.#servers = [...servers.map(addressOf), ...others];
    const addresses = new Map(brokers.map(({ nodeId, host, port }): [number, Address] => [nodeId, { host, port }]));
    const ordered = found.partitions.toSorted((x, y) => x.partitionIndex - y.partitionIndex);
    return {
      id: found.topicId,
      partitions: ordered.map(({ leaderId, leaderEpoch, replicaNodes, isrNodes }) => ({
        leader: addresses.get(leaderId),
        leaderEpoch,
        replicas: replicaNodes.length,
        inSync: isrNodes.length,
      })),
    };
  }

  async #make(create: NonNullable<KafkaBrokersOptions['create']>): Promise<void> {
    const { topic: name, partitions: numPartitions } = this.#options;
    const topic = { name, numPartitions, assignments: [], ...create };
    try {
      await this.ask(createTopicsV7.api, [[topic], CREATE_MS, false], CREATE_MS);
    } catch (error) {
      // Somebody else was faster.
      if (apiErrorOf(error) !== 'TOPIC_ALREADY_EXISTS') throw error;
    }
  }
}

function addressOf(server: string): Address {
  const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(server) ?? [];
  return { host, port: Number(port) };
}

/** A broker that is cut off tells of leaders that are none any more. */
function newestOf(topic: KafkaTopic, before: KafkaTopic | undefined): KafkaTopic {
  if (before?.id !== topic.id) return topic;
  const newest = topic.partitions.map((partition, i) => {
    const known = before.partitions[i]!;
    return known.leaderEpoch > partition.leaderEpoch ? known : partition;
  });
  return { ...topic, partitions: newest };
}

/** One connection for many calls, made again when it was lost: brokers close those that are idle for some minutes. */
class KeptConnection {
  #key = '';
  #made: Promise<Connection> | undefined;

  /** `key`: another one, another connection. Throws what `call` and `make` throw. */
  async use<T>(key: string, make: () => Promise<Connection>, call: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#key !== key) this.drop();
    const isNew = this.#made === undefined;
    const made = (this.#made ??= make());
    this.#key = key;
    try {
      const connection = await made;
      if (connection.isConnected()) return await call(connection);
    } catch (error) {
      // Otherwise it has answered: the connection is well.
      if (!(error instanceof ResponseError)) this.#drop(made);
      throw error;
    }
    this.#drop(made);
    if (isNew) throw new Error('the broker has closed the connection');
    return await this.use(key, make, call);
  }

  drop(): void {
    if (this.#made !== undefined) this.#drop(this.#made);
  }

  #drop(made: Promise<Connection>): void {
    if (this.#made === made) this.#made = undefined;
    made.then(dropped, () => undefined);
  }
}

/** Calls to whoever leads a partition. */
export class LeaderLink {
  readonly #brokers: KafkaBrokers;
  readonly #partition: number;
  readonly #connection = new KeptConnection();
  #isClosed = false;

  constructor(brokers: KafkaBrokers, partition: number) {
    this.#brokers = brokers;
    this.#partition = partition;
  }

  /**
   * `ask` gets the partition as the brokers said it last. A broker that is not the leader any more is no failure: another one is, and
   * the brokers tell which. Throws what the client throws.
   */
  async call<T>(ask: AskLeader<T>): Promise<T> {
    for (let moves = 0; ; moves++) {
      try {
        return await this.#callOnce(ask);
      } catch (error) {
        if (moves === MOVES_MAX || this.#isClosed || !MOVED.has(apiErrorOf(error))) throw error;
        await delay(MOVE_MS);
      }
    }
  }

  async #callOnce<T>(ask: AskLeader<T>): Promise<T> {
    const asked = this.#brokers.topic();
    const topic = await asked;
    const partition = topic.partitions[this.#partition]!;
    const { leader } = partition;
    try {
      if (leader === undefined || this.#isClosed)
        throw new StoreError('UNAVAILABLE', `the log (Kafka): partition ${this.#partition} has no leader; try again`);
      const make = async (): Promise<Connection> => await this.#brokers.connect(leader);
      const key = `${leader.host}:${leader.port}`;
      return await this.#connection.use(key, make, async (connection) => await ask(connection, topic, partition));
    } catch (error) {
      this.#brokers.forget(asked);
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#connection.drop();
  }
}

/** At once, whatever is under way: its close() waits for a peer that may be gone. */
function dropped(connection: Connection): void {
  connection.socket?.destroy();
}

/** The name of the error that a broker answered with: NOT_LEADER_OR_FOLLOWER. */
export function apiErrorOf(error: unknown): string | undefined {
  const cause = error instanceof StoreError ? error.cause : error;
  const found =
    cause instanceof Error ? (findErrorBy(cause, 'code', 'PLT_KFK_PROTOCOL') as { apiId?: string } | null) : null;
  return found?.apiId;
}

/** The answer that came with an error in it. Throws the error if there is none. */
function responseOf<T>(error: unknown): T {
  const cause = error instanceof StoreError ? error.cause : error;
  const response = cause instanceof ResponseError ? (cause as ResponseError & { response?: T }).response : undefined;
  if (response === undefined) throw error;
  return response;
}

/** Whatever the client throws: the log did not do what it was asked, or did and could not say so. */
export function away(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('UNAVAILABLE', `the log (Kafka) does not answer: ${reasonOf(error)}; try again`, {
    cause: error,
  });
}

/** Down to what happened: the client wraps it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { apiId, serverErrorMessage } = error as { apiId?: string; serverErrorMessage?: string | null };
  if (apiId !== undefined) return [apiId, serverErrorMessage].filter(Boolean).join(': ');
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner === undefined ? error.message : `${error.message} ${reasonOf(inner)}`;
}
