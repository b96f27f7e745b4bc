// The log on NATS JetStream: a stream for each partition, named <stream>-<partition>, with one subject of the same words. A stream's
// sequence is the offset. Appends and last() are answered by the stream's leader, reads come from any replica. The client
// connects again by itself; a call that got no answer throws UNAVAILABLE, and its caller decides.
import { setTimeout as delay } from 'node:timers/promises';
import {
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type ConsumerMessages,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  type StreamInfo,
} from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import { StoreError } from '../base/errors.ts';
import type { IngestLog, LogDescription, LogMessage } from './ingest-log.ts';
import { fsyncProblems, Monitors } from './jet-stream-monitor.ts';

/** Time for one call to the log. An election takes several of them; its caller tries again. */
const CALL_MS = 1_000;
/** A server that answers no ping for twice this long is taken for gone. */
const PING_MS = 2_000;
const RECONNECT_MS = 250;
/**
 * A leader that has heard of no majority for so long tells no end: the others elect a new one after 4 s of silence at the earliest
 * (minElectionTimeout of nats-server), and hear of each other every second.
 */
const LEASE_NS = 3e9;
/** A server that answers nothing for so long may be cut off from the others: another one is taken. Longer than most elections. */
const CUT_OFF_MS = 5_000;
/** For each server to prove that it syncs, or to be counted as away. */
const PROOF_MS = 15_000;
const PROOF_PAUSE_MS = 500;
/** The promise of IngestLog.append about equal ids. */
const DUPLICATES_NS: number = 120 * 1e9;
/** Bytes of messages that the client holds for one reader. */
const READ_BYTES: number = 2 << 20;
/** Room for the id in what max_payload bounds. */
const HEADERS_BYTES_MAX = 256;
/** The least that the client takes; without a sign of a reader's server for twice this long, the read ends, and another server gets it. */
const HEARTBEAT_MS = 500;
/** Messages of one batch of a reader. */
const READ_MESSAGES = 1_000;
const ID_HEADER = 'Nats-Msg-Id';
const STREAM_NOT_FOUND = 10_059;
/** JetStream itself is away, on a server that is not. */
const NOT_AVAILABLE = 10_008;
/** What the client tells of a consumer that gives no more messages. */
const GONE: ReadonlySet<string> = new Set([
  'heartbeats_missed',
  'consumer_not_found',
  'consumer_deleted',
  'stream_not_found',
  'no_responders',
]);
/** The stream's metadata has the number of partitions under it: with another one, traces would be in other places. */
const PARTITIONS_KEY = 'tracelith-partitions';

export interface JetStreamLogOptions {
  /** host:port of some servers; the client learns of the others. */
  readonly servers: readonly string[];
  readonly partitions: number;
  /** The first part of the streams' names. */
  readonly stream: string;
  /** http://host:port of the servers' monitoring; without, nothing proves that they sync. */
  readonly monitors: readonly string[];
  /** Of streams that are made. undefined: none are made, they must be there. */
  readonly create?: { readonly replicas: number; readonly retentionMs: number } | undefined;
  readonly connection?: Pick<ConnectionOptions, 'user' | 'pass' | 'token' | 'authenticator' | 'tls'>;
}

interface Connected {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
}

export class JetStreamLog implements IngestLog {
  readonly partitions: number;
  readonly #options: JetStreamLogOptions;
  readonly #monitors: Monitors;
  #connecting: Promise<Connected> | undefined;
  #messageBytesMax = (1 << 20) - HEADERS_BYTES_MAX;
  #isClosed = false;
  readonly #closing = new AbortController();
  /** Fires when the connection is lost: the client would keep its consumers, and look for them for up to half a minute. */
  #dropping = new AbortController();
  /** Since when the server answers nothing, or what nobody else need agree with; undefined: it answered last. */
  #silentSinceMs: number | undefined;
  /** host:port of the server that was left because it answered nothing, until another one answers. */
  #left: string | undefined;
  /** All streams were there, and none was missed since. Another connection does not wait until each of them has a leader. */
  #areMade = false;

  /** Connects with the first call. */
  constructor(options: JetStreamLogOptions) {
    this.#options = options;
    this.partitions = options.partitions;
    this.#monitors = new Monitors(options.monitors);
  }

  /** By max_payload of the server; by NATS' default before it is known. */
  get messageBytesMax(): number {
    return this.#messageBytesMax;
  }

  async append(partition: number, bytes: Uint8Array, id: string): Promise<bigint> {
    const { client } = await this.#connected();
    if (bytes.length > this.#messageBytesMax) {
      const most = `${this.#messageBytesMax} (max_payload of its servers)`;
      throw new StoreError('LIMIT_EXCEEDED', `a message of ${bytes.length} bytes; the log takes at most ${most}`);
    }
    const ack = await this.#asked(() =>
      client.publish(this.#nameOf(partition), bytes, { msgID: id, timeout: CALL_MS, retries: 0 }),
    );
    return BigInt(ack.seq);
  }

  async *read(partition: number, from: bigint, signal?: AbortSignal): AsyncGenerator<LogMessage> {
    const ends = signal === undefined ? this.#closing.signal : AbortSignal.any([this.#closing.signal, signal]);
    const start = from < 1n ? 1n : from;
    try {
      for await (const message of this.#all(partition, start, ends)) {
        if (ends.aborted) return;
        yield message;
      }
    } catch (error) {
      if (!ends.aborted) throw away(error);
    }
  }

  async *#all(partition: number, from: bigint, ends: AbortSignal): AsyncGenerator<LogMessage> {
    const { client, manager } = await this.#connected();
    let next = from;
    for await (const message of this.#stored(manager, partition, from)) {
      next = message.offset + 1n;
      yield message;
    }
    yield* this.#coming(client, { partition, from: next, ends });
  }

  /**
   * The messages that are there, as any replica has them: also while a consumer cannot be made, because the servers elect a leader.
   * Ends at the end, or when no replica answers so.
   */
  async *#stored(manager: JetStreamManager, partition: number, from: bigint): AsyncGenerator<LogMessage> {
    for (let next = from; ;) {
      const start = next;
      try {
        const batch = { seq: Number(next), batch: READ_MESSAGES, max_bytes: READ_BYTES };
        for await (const { seq, header, data, timestamp } of await manager.direct.getBatch(
          this.#nameOf(partition),
          batch,
        )) {
          next = BigInt(seq) + 1n;
          yield { offset: BigInt(seq), id: header.get(ID_HEADER), bytes: data, timeMs: Date.parse(timestamp) };
        }
      } catch (error) {
        // What the consumer says decides.
        if (this.#isClosed) throw error;
        return;
      }
      if (next === start) return;
    }
  }

  /** Those that come, as a consumer gets them. Throws when it gets no more. */
  async *#coming(
    client: JetStreamClient,
    { partition, from, ends }: { readonly partition: number; readonly from: bigint; readonly ends: AbortSignal },
  ): AsyncGenerator<LogMessage> {
    const dropped = this.#dropping.signal;
    const consumer = await client.consumers.get(this.#nameOf(partition), {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Number(from),
    });
    // The server gives up a consumer whose next message has more bytes than it may still send.
    const bytes = Math.max(READ_BYTES, 2 * (this.#messageBytesMax + HEADERS_BYTES_MAX));
    const messages = await consumer.consume({ max_bytes: bytes, idle_heartbeat: HEARTBEAT_MS });
    let failure = 'the server ended the consumer';
    const fail = (reason: string): void => {
      failure = reason;
      messages.stop();
    };
    const stop = (): void => messages.stop();
    const drop = (): void => fail('the connection was lost');
    ends.addEventListener('abort', stop);
    dropped.addEventListener('abort', drop);
    if (ends.aborted) stop();
    void watch(messages, fail);
    try {
      for await (const message of messages) yield messageOf(message);
      if (!ends.aborted) throw new Error(failure);
    } finally {
      ends.removeEventListener('abort', stop);
      dropped.removeEventListener('abort', drop);
      stop();
    }
  }

  async last(partition: number): Promise<bigint> {
    const info = await this.#infoOf(partition);
    if (!isHeard(info)) throw away(new Error(`the leader of ${info.config.name} is cut off from the other servers`));
    return BigInt(info.state.last_seq);
  }

  async first(partition: number): Promise<bigint> {
    const { first_seq: first } = (await this.#infoOf(partition)).state;
    // Of a stream that never had a message it is 0.
    return BigInt(Math.max(1, first));
  }

  async identify(partition: number): Promise<string> {
    return (await this.#infoOf(partition)).created;
  }

  async describe(): Promise<LogDescription> {
    const deadlineMs = performance.now() + PROOF_MS;
    for (;;) {
      const numbers = Array.from({ length: this.partitions }, (_, partition) => partition);
      const [infos, servers] = await Promise.all([
        Promise.all(numbers.map((partition) => this.#infoOf(partition))),
        this.#monitors.ask(CALL_MS),
      ]);
      const fsync = fsyncProblems(infos, servers);
      // One that has just gone is not counted as away yet, and a busy one answers late.
      const mayCome = servers.some(({ name }) => name === undefined) && performance.now() < deadlineMs;
      if (fsync.length === 0 || !mayCome) return this.#describe(infos, fsync);
      await delay(PROOF_PAUSE_MS);
    }
  }

  #describe(infos: readonly StreamInfo[], fsync: readonly string[]): LogDescription {
    const replicas = Math.min(...infos.map(({ config }) => config.num_replicas));
    return {
      kind: 'jetstream',
      replicas,
      fsyncBeforeAck: fsync.length === 0,
      retentionMs: Math.min(...infos.map(({ config: { max_age: ns } }) => (ns > 0 ? ns / 1e6 : Infinity))),
      retentionBytes: Math.min(...infos.map(({ config: { max_bytes: bytes } }) => (bytes > 0 ? bytes : Infinity))),
      problems: [...this.#problemsOf(infos), ...fsync],
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    const connected = await this.#connecting?.catch(() => undefined);
    await connected?.connection.close();
  }

  #nameOf(partition: number): string {
    return `${this.#options.stream}-${partition}`;
  }

  async #infoOf(partition: number): Promise<StreamInfo> {
    const { manager } = await this.#connected();
    return await this.#asked(() => manager.streams.info(this.#nameOf(partition)), isHeard);
  }

  /** One connection, made when it is first needed, and again after an attempt that failed. */
  #connected(): Promise<Connected> {
    if (this.#isClosed) return Promise.reject(new StoreError('UNAVAILABLE', 'the log is closed'));
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw away(error);
    });
    return this.#connecting;
  }

  async #connect(): Promise<Connected> {
    const { servers, connection: own } = this.#options;
    const left = this.#left;
    const others = shuffle(servers.filter((server) => server !== left));
    const connection = await connect({
      ...own,
      servers: left === undefined ? others : [...others, left],
      // A single name may stand for several servers: then any of them is taken.
      noRandomize: left !== undefined && others.length > 0,
      name: 'tracelith',
      timeout: CALL_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
    });
    try {
      const options = { timeout: CALL_MS, checkAPI: false };
      const connected = {
        connection,
        client: jetstream(connection, options),
        manager: await jetstreamManager(connection, options),
      };
      const { max_payload: most } = connection.info ?? {};
      if (most !== undefined) this.#messageBytesMax = most - HEADERS_BYTES_MAX;
      await this.#makeStreams(connected.manager);
      void this.#watch(connection);
      return connected;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.#drop();
    }
  }

  /** Those that are not there. Two processes that make one at the same time make the same. */
  async #makeStreams(manager: JetStreamManager): Promise<void> {
    const { partitions, create } = this.#options;
    if (create === undefined || this.#areMade) return;
    for (let partition = 0; partition < partitions; partition++) {
      const name = this.#nameOf(partition);
      const isThere = await manager.streams.info(name).then(
        () => true,
        (error: unknown) => {
          if (isMissing(error)) return false;
          throw error;
        },
      );
      if (isThere) continue;
      await manager.streams.add({
        name,
        subjects: [name],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        // A full log refuses spans, which their senders still have, rather than drop some that no node has read.
        discard: DiscardPolicy.New,
        num_replicas: create.replicas,
        max_age: Number.isFinite(create.retentionMs) ? create.retentionMs * 1e6 : 0,
        duplicate_window: DUPLICATES_NS,
        deny_delete: true,
        // Any replica may be read from.
        allow_direct: true,
        metadata: { [PARTITIONS_KEY]: String(partitions) },
      });
    }
    this.#areMade = true;
  }

  #problemsOf(infos: readonly StreamInfo[]): string[] {
    const { partitions } = this.#options;
    const problems: string[] = [];
    for (const { config } of infos) {
      const { name, num_replicas: replicas, storage, duplicate_window: window, metadata = {} } = config;
      const made = metadata[PARTITIONS_KEY];
      if (made !== undefined && made !== String(partitions))
        problems.push(
          `stream ${name}: made for ${made} partitions, -ingestLog.partitions is ${partitions}; set it to ${made}`,
        );
      if (storage !== StorageType.File)
        problems.push(`stream ${name}: kept in memory; make it again with file storage`);
      if (replicas < 2) problems.push(`stream ${name}: ${replicas} replica; \`nats stream edit ${name} --replicas 3\``);
      if (window < DUPLICATES_NS)
        problems.push(
          `stream ${name}: duplicates are recognised for ${window / 1e9} s; \`nats stream edit ${name} --dupe-window 2m\``,
        );
    }
    return problems;
  }

  /** `counts`: the result shows that the server is not cut off from the others. */
  async #asked<T>(call: () => Promise<T>, counts: (result: T) => boolean = () => true): Promise<T> {
    try {
      const result = await call();
      if (counts(result)) [this.#silentSinceMs, this.#left] = [undefined, undefined];
      else this.#hearNothing();
      return result;
    } catch (error) {
      if (isMissing(error)) this.#missStream();
      else if (!isAnswer(error)) this.#hearNothing();
      throw away(error);
    }
  }

  /** The client stays with its server, also with one that is cut off from the others. */
  #hearNothing(): void {
    const nowMs = performance.now();
    this.#silentSinceMs ??= nowMs;
    if (nowMs - this.#silentSinceMs >= CUT_OFF_MS) this.#leave((server) => (this.#left = server));
  }

  /** It was deleted. The next connection makes it anew: who has read of it tells by its identity that its messages are gone. */
  #missStream(): void {
    if (!this.#areMade) return;
    this.#areMade = false;
    this.#leave();
  }

  /** The next call connects anew. */
  #leave(tell?: (server: string) => void): void {
    const connecting = this.#connecting;
    if (connecting === undefined) return;
    [this.#silentSinceMs, this.#connecting] = [undefined, undefined];
    void connecting.then(
      async ({ connection }) => {
        tell?.(connection.getServer());
        this.#drop();
        await connection.close();
      },
      // Who waits for it is told.
      () => undefined,
    );
  }

  #drop(): void {
    this.#dropping.abort();
    this.#dropping = new AbortController();
  }
}

/** So that not all processes go to the same server. */
function shuffle(servers: readonly string[]): string[] {
  const keyed = servers.map((server) => ({ server, key: Math.random() }));
  return keyed.sort((x, y) => x.key - y.key).map(({ server }) => server);
}

/** Whoever answers leads, and has heard of most replicas a moment ago: nobody else leads. One that was never heard of has 0, and is not current. */
function isHeard({ config, cluster }: StreamInfo): boolean {
  const { leader, replicas = [] } = cluster ?? {};
  if (config.num_replicas > 1 && leader === undefined) return false;
  const heard = 1 + replicas.filter(({ active, current }) => active < LEASE_NS && (active > 0 || current)).length;
  return 2 * heard > config.num_replicas;
}

function isMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND;
}

/** JetStream said no: it is there. */
function isAnswer(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code !== NOT_AVAILABLE;
}

/** Ends a read when its server is gone: the client would wait much longer for it. */
async function watch(messages: ConsumerMessages, fail: (reason: string) => void): Promise<void> {
  for await (const { type } of messages.status()) if (GONE.has(type)) fail(type.replaceAll('_', ' '));
}

function messageOf(message: JsMsg): LogMessage {
  return {
    offset: BigInt(message.seq),
    id: message.headers?.get(ID_HEADER),
    bytes: message.data,
    timeMs: Number(BigInt(message.info.timestampNanos) / 1_000_000n),
  };
}

/** Whatever the client throws: the log did not do what it was asked, or did and could not say so. */
function away(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreError('UNAVAILABLE', `the log (NATS JetStream) does not answer: ${reason}; try again`, {
    cause: error,
  });
}
