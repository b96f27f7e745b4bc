// The log on Kafka: one topic with a fixed number of partitions. Kafka counts offsets from 0, the port from 1. All calls go to a partition's
// leader, over a connection of their own, since a broker answers those of one connection in order. An append waits for all replicas
// in sync; the broker knows it by the producer's number and a sequence, so one that failed is made again without doubling it.
// Kafka keeps no ids: this process knows the last id of each partition only.
import { setTimeout as delay } from 'node:timers/promises';
import {
  ConfigResourceTypes,
  createAPI,
  describeConfigsV4,
  fetchV13,
  initProducerIdV4,
  listOffsetsV7,
  NumericMap,
  produceV9,
  type ConnectionOptions,
} from '@platformatic/kafka';
import { StoreError } from '../base/errors.ts';
import type { IngestLog, LogDescription, LogMessage } from './ingest-log.ts';
import { DamagedReads, readFetched, readMessages } from './kafka-batches.ts';
import { apiErrorOf, away, KafkaBrokers, LeaderLink } from './kafka-brokers.ts';
import { describeTopic, SETTINGS_READ, settingsOfNew } from './kafka-promise.ts';

/** How long a broker may wait for the other replicas, and for messages that come. */
const APPEND_MS = 1_500;
const FETCH_WAIT_MS = 500;
/** Of one fetch; a larger message comes alone. */
const READ_BYTES: number = 2 << 20;
/** Room for what Kafka writes around a message and its id. */
const FRAME_BYTES_MAX = 256;
/** max.message.bytes, when nothing is said. */
const MESSAGE_BYTES_DEFAULT = 1_048_588;
const ACKS_ALL = -1;
/** What a broker calls the end and the beginning of a partition. */
const LATEST = -1n;
const EARLIEST = -2n;
/** Of the acknowledged: below the high watermark. The other isolation is about transactions, which nobody here makes. */
const READ_UNCOMMITTED = 0;
const CLIENT_REPLICA = -1;
const NO_SESSION = -1;
/** A sequence begins again at 0 above it. */
const SEQUENCE_MAX = 0x7f_ff_ff_ff;
/** The broker does not know this producer's sequence, and takes nothing more of it. */
const PRODUCER_LOST: ReadonlySet<string | undefined> = new Set([
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
]);
/** Until a broker has numbers for producers. */
const NUMBER_MS = 50;
const NUMBER_TRIES_MAX = 20;
const TOO_LARGE: ReadonlySet<string | undefined> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** The client's own reading of the answer would decode every batch of it at once. */
const fetchApi = createAPI<Parameters<typeof fetchV13.createRequest>, Buffer>(
  1,
  13,
  fetchV13.createRequest,
  readFetched,
);

export interface KafkaLogOptions {
  /** host:port of some brokers; they tell of the others. */
  readonly servers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  /** Of a topic that is made. undefined: none is made, it must be there. */
  readonly create?: { readonly replicas: number; readonly retentionMs: number } | undefined;
  readonly connection?: Pick<ConnectionOptions, 'tls' | 'sasl'>;
}

interface Producer {
  readonly id: bigint;
  readonly epoch: number;
  sequence: number;
}

interface FetchPlace {
  readonly topicId: string;
  readonly partition: number;
  /** Kafka's offset. */
  readonly from: bigint;
}

/** What one partition's appends and questions need. */
interface Lane {
  readonly appending: LeaderLink;
  readonly asking: LeaderLink;
  /** Resolves when the append before is over. */
  turn: Promise<unknown>;
  producer: Producer | undefined;
  /** The id with the producer's sequence, of which nobody knows whether it is stored. */
  pending: string | undefined;
  appended: { readonly id: string; readonly offset: bigint } | undefined;
  readonly damagedReads: DamagedReads;
}

export class KafkaLog implements IngestLog {
  readonly partitions: number;
  readonly #options: KafkaLogOptions;
  readonly #brokers: KafkaBrokers;
  readonly #lanes: readonly Lane[];
  readonly #closing = new AbortController();
  #messageBytesMax = MESSAGE_BYTES_DEFAULT - FRAME_BYTES_MAX;

  /** Connects with the first call. */
  constructor(options: KafkaLogOptions) {
    const { servers, topic, partitions, create, connection } = options;
    this.#options = options;
    this.partitions = partitions;
    const made =
      create === undefined
        ? undefined
        : {
            replicationFactor: create.replicas,
            configs: settingsOfNew(create.replicas, create.retentionMs).map(([name, value]) => ({ name, value })),
          };
    this.#brokers = new KafkaBrokers({ servers, topic, partitions, connection, create: made });
    this.#lanes = Array.from({ length: partitions }, (_, partition) => ({
      appending: new LeaderLink(this.#brokers, partition),
      asking: new LeaderLink(this.#brokers, partition),
      turn: Promise.resolve(),
      producer: undefined,
      pending: undefined,
      appended: undefined,
      damagedReads: new DamagedReads(),
    }));
  }

  /** By max.message.bytes of the topic, as describe() read it last; by Kafka's default before. */
  get messageBytesMax(): number {
    return this.#messageBytesMax;
  }

  async append(partition: number, bytes: Uint8Array, id: string): Promise<bigint> {
    this.#checkOpen();
    if (bytes.length > this.#messageBytesMax) throw this.#tooLarge(bytes);
    const lane = this.#lanes[partition]!;
    const appending = lane.turn.then(async () => await this.#appendNext(partition, bytes, id));
    lane.turn = appending.catch(() => undefined);
    return await appending;
  }

  async #appendNext(partition: number, bytes: Uint8Array, id: string): Promise<bigint> {
    const lane = this.#lanes[partition]!;
    if (lane.appended?.id === id) return lane.appended.offset;
    // The one before may be stored under the next sequence: this one would be taken for it.
    if (lane.pending !== undefined && lane.pending !== id) lane.producer = undefined;
    lane.pending = id;
    try {
      const producer = (lane.producer ??= await this.#newProducer());
      const offset = (await this.#produce(lane.appending, { partition, bytes, id, producer })) + 1n;
      producer.sequence = producer.sequence === SEQUENCE_MAX ? 0 : producer.sequence + 1;
      lane.pending = undefined;
      lane.appended = { id, offset };
      return offset;
    } catch (error) {
      const reason = apiErrorOf(error);
      if (PRODUCER_LOST.has(reason)) lane.producer = undefined;
      throw TOO_LARGE.has(reason) ? this.#tooLarge(bytes) : away(error);
    }
  }

  async #newProducer(): Promise<Producer> {
    for (let tried = 0; ; tried++) {
      try {
        const { producerId, producerEpoch } = await this.#brokers.ask(initProducerIdV4.api, [null, 0, -1n, -1]);
        return { id: producerId, epoch: producerEpoch, sequence: 0 };
      } catch (error) {
        // A broker answers so to the first who asks, and fetches some numbers then.
        if (tried === NUMBER_TRIES_MAX || apiErrorOf(error) !== 'COORDINATOR_LOAD_IN_PROGRESS') throw error;
        await delay(NUMBER_MS);
      }
    }
  }

  /** Returns Kafka's offset. */
  async #produce(
    link: LeaderLink,
    message: {
      readonly partition: number;
      readonly bytes: Uint8Array;
      readonly id: string;
      readonly producer: Producer;
    },
  ): Promise<bigint> {
    const { topic } = this.#options;
    const { partition, bytes, id, producer } = message;
    const record = { topic, partition, key: Buffer.from(id), value: bufferOf(bytes), timestamp: BigInt(Date.now()) };
    const sequences = new NumericMap([[`${topic}:${partition}`, producer.sequence]]);
    const own = { producerId: producer.id, producerEpoch: producer.epoch, sequences };
    const response = await link.call((leader) => produceV9.api.async(leader, ACKS_ALL, APPEND_MS, [record], own));
    const stored = typeof response === 'object' ? response.responses[0]?.partitionResponses[0] : undefined;
    if (stored === undefined) throw new Error('an append was answered with nothing');
    return stored.baseOffset;
  }

  #tooLarge(bytes: Uint8Array): StoreError {
    const most = `${this.#messageBytesMax} (max.message.bytes of its topic)`;
    return new StoreError('LIMIT_EXCEEDED', `a message of ${bytes.length} bytes; the log takes at most ${most}`);
  }

  async *read(partition: number, from: bigint, signal?: AbortSignal): AsyncGenerator<LogMessage> {
    const ends = signal === undefined ? this.#closing.signal : AbortSignal.any([this.#closing.signal, signal]);
    const link = new LeaderLink(this.#brokers, partition);
    const stop = (): void => link.close();
    ends.addEventListener('abort', stop);
    if (ends.aborted) stop();
    try {
      for await (const message of this.#all(link, partition, from)) {
        if (ends.aborted) return;
        yield message;
      }
    } catch (error) {
      if (!ends.aborted) throw away(error);
    } finally {
      ends.removeEventListener('abort', stop);
      stop();
    }
  }

  /** Without an end: it throws when the link is closed. */
  async *#all(link: LeaderLink, partition: number, from: bigint): AsyncGenerator<LogMessage> {
    // Of a topic that was made anew, the offset would mean other messages.
    const { id: topicId } = await this.#brokers.topic();
    for (let next = from < 1n ? 0n : from - 1n; ;) {
      const batches = await this.#fetch(link, { topicId, partition, from: next });
      for (const message of readMessages(batches, next, this.#lanes[partition]!.damagedReads)) {
        next = message.offset;
        yield message;
      }
    }
  }

  /** The batches that are there from Kafka's offset `from` on; waits a moment if there are none. */
  async #fetch(link: LeaderLink, place: FetchPlace): Promise<Buffer> {
    const { topicId, partition, from } = place;
    try {
      return await link.call((leader, _topic, { leaderEpoch: currentLeaderEpoch }) => {
        const wanted = { partition, currentLeaderEpoch, fetchOffset: from, lastFetchedEpoch: -1 };
        const topics = [{ topicId, partitions: [{ ...wanted, partitionMaxBytes: READ_BYTES }] }];
        return fetchApi.async(leader, FETCH_WAIT_MS, 1, READ_BYTES, READ_UNCOMMITTED, 0, NO_SESSION, topics, [], '');
      });
    } catch (error) {
      if (apiErrorOf(error) !== 'OFFSET_OUT_OF_RANGE') throw error;
      const first = await this.#offsetOf(link, partition, EARLIEST);
      // Otherwise the leader has less than it had: whoever reads asks for the end, and sees it.
      if (first <= from) throw error;
      return await this.#fetch(link, { ...place, from: first });
    }
  }

  /** The first that is not acknowledged, from 0, is the last that is, from 1. */
  async last(partition: number): Promise<bigint> {
    return await this.#ask(partition, LATEST);
  }

  async first(partition: number): Promise<bigint> {
    return (await this.#ask(partition, EARLIEST)) + 1n;
  }

  async #ask(partition: number, timestamp: bigint): Promise<bigint> {
    this.#checkOpen();
    return await this.#offsetOf(this.#lanes[partition]!.asking, partition, timestamp).catch((error: unknown) => {
      throw away(error);
    });
  }

  async #offsetOf(link: LeaderLink, partition: number, timestamp: bigint): Promise<bigint> {
    const { topics } = await link.call((leader, _topic, { leaderEpoch: currentLeaderEpoch }) => {
      const partitions = [{ partitionIndex: partition, currentLeaderEpoch, timestamp }];
      const topics = [{ name: this.#options.topic, partitions }];
      return listOffsetsV7.api.async(leader, CLIENT_REPLICA, READ_UNCOMMITTED, topics);
    });
    const told = topics[0]?.partitions[0];
    if (told === undefined) throw new Error('an offset was answered with nothing');
    return told.offset;
  }

  async identify(_partition: number): Promise<string> {
    this.#checkOpen();
    return (await this.#brokers.topic()).id;
  }

  async describe(): Promise<LogDescription> {
    this.#checkOpen();
    const { topic } = this.#options;
    // Who is in sync changes by itself.
    this.#brokers.forget();
    const { partitions } = await this.#brokers.topic();
    const asked = {
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName: topic,
      configurationKeys: [...SETTINGS_READ],
    };
    const { results } = await this.#brokers.ask(describeConfigsV4.api, [[asked], false, false]);
    const settings = new Map((results[0]?.configs ?? []).map(({ name, value }) => [name, value]));
    const most = Number(settings.get('max.message.bytes') ?? NaN);
    if (most > 0) this.#messageBytesMax = most - FRAME_BYTES_MAX;
    return describeTopic(topic, partitions, settings);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#brokers.close();
    await Promise.all(this.#lanes.map(({ turn }) => turn));
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new StoreError('UNAVAILABLE', 'the log is closed');
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
