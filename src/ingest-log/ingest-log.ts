// The port to the log between insert and storage nodes: messages in a fixed number of partitions, each in one order. Order,
// replication and fail-over are the log's own; Tracelith adds none. jet-stream-log.ts is NATS JetStream, local-log.ts a folder
// of this machine; test/contract/ingest-log.test.ts says what each must do.

/** A message as it is stored. */
export interface LogMessage {
  /** Its place in its partition: 1 or more, ascending. Numbers may be missing, never come twice. */
  readonly offset: bigint;
  /** The id it was appended with, where the log keeps ids. */
  readonly id?: string | undefined;
  readonly bytes: Uint8Array;
  /** When the log took it, ms since the epoch, by the log's clock. */
  readonly timeMs: number;
}

/** What a log is and promises, as it proves it now. */
export interface LogDescription {
  readonly kind: 'jetstream' | 'kafka' | 'local';
  /** Copies of each message, the lowest of all partitions. */
  readonly replicas: number;
  /** Every server that holds a replica syncs it to disk before it acknowledges, as it says itself. */
  readonly fsyncBeforeAck: boolean;
  /** How long a message is kept; Infinity: without limit. */
  readonly retentionMs: number;
  /** How many bytes a partition keeps; Infinity: without limit. */
  readonly retentionBytes: number;
  /**
   * For people: each thing by which an acknowledged message may be lost, or that could not be proved, with its remedy. Empty:
   * an acknowledged message survives the loss of any one server.
   */
  readonly problems: readonly string[];
  /** For people: what the settings leave open although they are accepted; for the others, what is lost when several servers fail at once. */
  readonly tradeOffs?: readonly string[];
}

/** A log that is open. Partitions are numbered from 0. Every method throws UNAVAILABLE while the log does not answer. */
export interface IngestLog {
  readonly partitions: number;
  /** The largest message that the log takes, bytes. */
  readonly messageBytesMax: number;
  /**
   * Appends a message. Resolves with its offset when the log has acknowledged it: it is durable as describe() says, and last()
   * counts it. The same id as in the call before, of the same partition, is the same message, and gives its offset; so a call that
   * failed may be made again with the id. Throws UNAVAILABLE (it may be stored or not), LIMIT_EXCEEDED (it is too large).
   */
  append(partition: number, bytes: Uint8Array, id: string): Promise<bigint>;
  /**
   * The messages from offset `from` on, or from the first that is kept if that is a later one; waits for further ones until
   * `signal` fires, which ends it. Throws UNAVAILABLE when the log goes away: read again from the offset after the last one got.
   */
  read(partition: number, from: bigint, signal?: AbortSignal): AsyncIterable<LogMessage>;
  /** The offset of the last message that was acknowledged before the call, or of a later one; 0n: there never was one. */
  last(partition: number): Promise<bigint>;
  /** The offset of the first message that is kept; when none is, that of the next one to come. */
  first(partition: number): Promise<bigint>;
  /** Another text after the partition was deleted and made again: then its earlier offsets mean nothing. */
  identify(partition: number): Promise<string>;
  describe(): Promise<LogDescription>;
  /** Ends reads, too. */
  close(): Promise<void>;
}
