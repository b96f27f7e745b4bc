// Carries messages from the log into the store of this node: one loop for each of its partitions, each in order. What has come since
// the last commit goes into the next one together, so a node that is behind writes large commits and catches up. The store keeps
// how far it is in the commit of the spans; after a failure or a restart a loop reads on from there, and what it reads twice is
// shown once.
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, type Logger } from '../base/logger.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import { joinGaps, type Consumed, type ConsumedPlace, type LogGap } from '../storage/consumed-offsets.ts';
import { DEFAULT_TENANT } from '../trace/tenant.ts';
import type { WriteResult } from '../trace/store.ts';
import { byTenant, takeUnit } from './commit-units.ts';
import type { IngestLog, LogMessage } from './ingest-log.ts';
import { decodePayload, type ForeignEncoding, type LogSlice } from './log-payload.ts';
import { WaitingMessages } from './waiting-messages.ts';

/** After a failure; doubled until the most. */
const RETRY_MS = 100;
const RETRY_MOST_MS = 500;
/** A log that ends before what was read of it is asked again for so long: a new leader may not know its end for a moment. */
const SHORT_MS = 15_000;
/** How often the end of each partition is asked for, for the lag, and the gaps that are still to be filled. */
const LOOK_MS = 5_000;
/** A damaged message is read again so often: another replica may have it whole. */
const DAMAGED_READS_MAX = 5;

/** A hole in what is read is read again so often: another replica may have it. */
const HOLE_READS_MAX = 10;

/** Of a commit that only moves the place; a new one each time, because the store takes the bodies away. */
const noSpans = (): LogSlice[] => [{ tenant: DEFAULT_TENANT, body: new Uint8Array(0) }];

/** The store of this node. */
export interface ConsumingStore {
  /** All in one durable commit with the place, or nothing. */
  consume(requests: readonly LogSlice[], place: ConsumedPlace): Promise<WriteResult>;
  /** By partition. */
  consumed(): Promise<Consumed>;
}

export interface LogConsumerOptions {
  readonly log: IngestLog;
  readonly store: ConsumingStore;
  /** Those of this node. */
  readonly partitions: readonly number[];
  readonly logger: Logger;
  /** Of messages of other programs. Default otlp_proto. */
  readonly encoding?: ForeignEncoding;
  /** Keeps a message that cannot be stored; it is passed over. */
  readonly setAside: (partition: number, message: LogMessage, error: unknown) => void;
  /** Gets the result of each commit. */
  readonly onStored?: (result: WriteResult) => void;
  /** Default RETRY_MS, SHORT_MS, LOOK_MS. */
  readonly retryMs?: number;
  readonly shortMs?: number;
  readonly lookMs?: number;
}

/** What is known of one partition. */
export interface PartitionState {
  readonly partition: number;
  /** Of the log that the offsets are of; empty: none was read yet. */
  identity: string;
  /** Stored and visible up to here. */
  consumed: bigint;
  /** The end of the partition, as it was asked for last; undefined: it did not answer yet. */
  last: bigint | undefined;
  /** When the log took the last message that is stored, ms since the epoch; 0: not known. */
  storedTimeMs: number;
  messages: number;
  /** Up to here the partition was stored before it was read from its beginning again. */
  replayedUntil: bigint;
  /** Messages that were stored again, because the log has lost its end; they are shown once. */
  replayed: number;
  /** Messages that could not be stored and were put aside. */
  setAside: number;
  /** Times that the reading ended before the node did: the log did not answer, or the store did not take it. */
  interrupted: number;
  /** Times that a hole in what was read was read again. */
  holeReads: number;
  /** From the first to the last of what the log had lost before it was read here; undefined: nothing. */
  gap: LogGap | undefined;
}

export class LogConsumer {
  readonly #options: LogConsumerOptions;
  readonly #states: ReadonlyMap<number, PartitionState>;
  readonly #closing = new AbortController();
  readonly #loops: Promise<void>[] = [];
  /** Partitions that ended before what was read of them, when they were asked last. */
  readonly #short = new Set<number>();
  /** Those that wait for a partition to be stored up to an offset. */
  readonly #waiting = new Set<{ readonly isMet: () => boolean; readonly wake: () => void }>();

  private constructor(options: LogConsumerOptions, states: ReadonlyMap<number, PartitionState>) {
    this.#options = options;
    this.#states = states;
  }

  /**
   * Starts the loops. The log need not answer yet. Throws CONFIG if the store holds other partitions, which would be counted twice
   * beside the nodes that have them now.
   */
  static async open(options: LogConsumerOptions): Promise<LogConsumer> {
    const stored = await options.store.consumed();
    refuseOthers([...stored.keys()], options.partitions);
    const none = {
      last: undefined,
      messages: 0,
      replayed: 0,
      replayedUntil: 0n,
      setAside: 0,
      interrupted: 0,
      holeReads: 0,
    };
    const states = options.partitions.map((partition): [number, PartitionState] => {
      const { identity = '', offset = 0n, timeMs = 0, gap } = stored.get(partition) ?? {};
      return [partition, { partition, identity, consumed: offset, storedTimeMs: timeMs, gap, ...none }];
    });
    const consumer = new LogConsumer(options, new Map(states));
    for (const [, state] of states) consumer.#loops.push(consumer.#run(state));
    consumer.#loops.push(consumer.#look());
    return consumer;
  }

  get states(): Iterable<PartitionState> {
    return this.#states.values();
  }

  /**
   * Resolves when every partition of `offsets` that is read here is stored up to its offset, or when `ms` are over; with those that are not, and how
   * far they are.
   */
  async reached(offsets: ReadonlyMap<number, bigint>, ms: number, signal?: AbortSignal): Promise<Map<number, bigint>> {
    const isMet = (): boolean => this.#behind(offsets).size === 0;
    if (!isMet()) {
      const met = Promise.withResolvers<void>();
      const waiter = { isMet, wake: () => met.resolve() };
      this.#waiting.add(waiter);
      const timer = setTimeout(met.resolve, ms);
      signal?.addEventListener('abort', waiter.wake, { once: true });
      await met.promise;
      clearTimeout(timer);
      signal?.removeEventListener('abort', waiter.wake);
      this.#waiting.delete(waiter);
    }
    return this.#behind(offsets);
  }

  #behind(offsets: ReadonlyMap<number, bigint>): Map<number, bigint> {
    const behind = new Map<number, bigint>();
    for (const [partition, offset] of offsets) {
      const state = this.#states.get(partition);
      if (state !== undefined && state.consumed < offset) behind.set(partition, state.consumed);
    }
    return behind;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#loops);
    for (const { wake } of this.#waiting) wake();
  }

  /** Reads one partition until the node closes. */
  async #run(state: PartitionState): Promise<void> {
    const { logger, retryMs = RETRY_MS } = this.#options;
    const { partition } = state;
    let waitMs = retryMs;
    while (!this.#closing.signal.aborted) {
      const before = state.consumed;
      try {
        await this.#checkIdentity(state);
        await this.#readOn(state);
      } catch (error) {
        if (!isStoreError(error)) throw error;
        state.interrupted++;
        logger.warn('reading the log was interrupted; it goes on', { partition, error: describeError(error) });
        waitMs = state.consumed > before ? retryMs : Math.min(2 * waitMs, RETRY_MOST_MS);
        await this.#pause(waitMs);
      }
    }
  }

  /** In another log than before, and in one that has lost its end, the offsets mean nothing: it is read from its beginning. */
  async #checkIdentity(state: PartitionState): Promise<void> {
    const { log, logger } = this.#options;
    const identity = await log.identify(state.partition);
    if (state.identity !== identity) await this.#beginAnew(state, identity);
    if (await this.#hasLostItsEnd(state)) {
      const { partition, consumed, last } = state;
      logger.error('the log ends before what was read of it: it has lost messages; it is read from its beginning', {
        partition,
        consumed,
        last,
      });
      [state.consumed, state.replayedUntil] = [0n, consumed];
    }
    await this.#passDropped(state);
  }

  /** Believed if it stays; and if the log is longer again, but has another message at the place. */
  async #hasLostItsEnd(state: PartitionState): Promise<boolean> {
    const { log, retryMs = RETRY_MS, shortMs = SHORT_MS } = this.#options;
    const { partition, consumed, storedTimeMs } = state;
    // If the node closes, the message is not read, which throws.
    for (const until = Date.now() + shortMs; !this.#closing.signal.aborted;) {
      state.last = await log.last(partition);
      if (state.last >= consumed) break;
      this.#short.add(partition);
      if (Date.now() >= until) return this.#short.delete(partition);
      await this.#pause(retryMs);
    }
    if (!this.#short.has(partition)) return false;
    const { offset, timeMs } = await this.#readAt(partition, consumed);
    this.#short.delete(partition);
    return offset !== consumed || Math.round(timeMs) !== storedTimeMs;
  }

  /** The earlier identity stays until the store has what is missing: otherwise nothing would tell of it after a refusal. */
  async #beginAnew(state: PartitionState, identity: string): Promise<void> {
    const { partition, storedTimeMs: fromMs } = state;
    const known = knownOf(state);
    [state.consumed, state.replayedUntil] = [0n, known];
    if (state.identity !== '') {
      // What the earlier one still held is gone.
      await this.#pass(state, 0n, { from: known + 1n, to: known + 1n, fromMs, toMs: Date.now() }, identity);
      this.#options.logger.error('a partition of the log was made anew; it is read from its beginning', { partition });
    }
    [state.identity, state.replayedUntil] = [identity, 0n];
    this.#short.delete(partition);
  }

  /** What the log no longer has is passed at once: on a quiet partition nothing may come behind it for long. */
  async #passDropped(state: PartitionState): Promise<void> {
    const first = await this.#options.log.first(state.partition);
    if (first <= state.consumed + 1n) return;
    const from = knownOf(state) + 1n;
    const gap = { from, to: first - 1n, fromMs: state.storedTimeMs, toMs: Date.now() };
    await this.#pass(state, first - 1n, from < first ? gap : undefined);
  }

  /** Goes on behind `offset`, and says for good what is missing before it. */
  async #pass(
    state: PartitionState,
    offset: bigint,
    gap: LogGap | undefined,
    identity: string = state.identity,
  ): Promise<void> {
    const { partition, storedTimeMs: timeMs } = state;
    await this.#options.store.consume(noSpans(), { identity, partition, offset, timeMs, gap });
    state.consumed = offset;
    if (gap !== undefined) this.#miss(state, gap);
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiting) if (waiter.isMet()) waiter.wake();
  }

  async #readOn(state: PartitionState): Promise<void> {
    const { log } = this.#options;
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, ending.signal]);
    const waiting = new WaitingMessages(log.read(state.partition, state.consumed + 1n, signal));
    try {
      for (;;) {
        const messages = await waiting.take();
        if (messages.length === 0) return;
        await this.#store(state, messages);
      }
    } finally {
      ending.abort();
      await waiting.end();
    }
  }

  /** Together; those that cannot be stored together one by one, so that a single one is put aside. */
  async #store(state: PartitionState, messages: readonly LogMessage[]): Promise<void> {
    for (let at = 0; at < messages.length;) {
      const unit = takeUnit(messages, at);
      at += unit.length;
      try {
        await this.#commit(state, unit);
      } catch (error) {
        if (!isFault(error)) throw error;
        for (const message of unit) await this.#storeOne(state, message);
      }
    }
  }

  async #storeOne(state: PartitionState, message: LogMessage): Promise<void> {
    try {
      await this.#commit(state, [message]);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (isStoreError(error, 'CORRUPTION') && (await this.#isWholeElsewhere(state, message))) return;
      await this.#storeSlices(state, message);
      this.#options.setAside(state.partition, message, error);
      state.setAside++;
      await this.#write(state, [], [message]);
    }
  }

  /** Those that can be stored, so that one of them does not cost the others. The place stays before the message: what is read again is shown once. */
  async #storeSlices(
    { identity, partition, consumed, storedTimeMs }: PartitionState,
    { bytes }: LogMessage,
  ): Promise<void> {
    const { store, onStored, encoding } = this.#options;
    for (const slice of slicesOf(bytes, encoding)) {
      try {
        const result = await store.consume([slice], { identity, partition, offset: consumed, timeMs: storedTimeMs });
        onStored?.(result);
      } catch (error) {
        if (!isFault(error)) throw error;
      }
    }
  }

  /** Reads a damaged message again, and stores it if it is whole then. */
  async #isWholeElsewhere(state: PartitionState, { offset }: LogMessage): Promise<boolean> {
    for (let reads = 0; reads < DAMAGED_READS_MAX; reads++) {
      const again = await this.#readAt(state.partition, offset);
      if (again.offset !== offset) return false;
      if (await this.#commit(state, [again]).then(() => true, isCorrupt)) return true;
    }
    return false;
  }

  /** The message at `offset`, or the first behind it. Throws UNAVAILABLE if the node closes before there is one. */
  async #readAt(partition: number, offset: bigint): Promise<LogMessage> {
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, ending.signal]);
    for await (const message of this.#options.log.read(partition, offset, signal)) {
      ending.abort();
      return message;
    }
    throw new StoreError('UNAVAILABLE', 'the node is closing');
  }

  async #commit(state: PartitionState, messages: readonly LogMessage[]): Promise<void> {
    const { encoding } = this.#options;
    await this.#write(state, byTenant(messages.flatMap(({ bytes }) => decodePayload(bytes, encoding))), messages);
  }

  async #write(state: PartitionState, requests: readonly LogSlice[], messages: readonly LogMessage[]): Promise<void> {
    const { store, onStored } = this.#options;
    const { partition, identity } = state;
    const [first, last] = [messages[0]!, messages.at(-1)!];
    const gap = await this.#gapBefore(state, first);
    // Without spans there is still the place to be written.
    const some = requests.length > 0 ? requests : noSpans();
    const place = { identity, partition, offset: last.offset, timeMs: Math.round(last.timeMs), gap };
    const result = await store.consume(some, place);
    if (gap !== undefined) this.#miss(state, gap);
    state.consumed = last.offset;
    state.storedTimeMs = place.timeMs;
    state.messages += messages.length;
    state.holeReads = 0;
    for (const { offset } of messages) if (offset <= state.replayedUntil) state.replayed++;
    if (state.last !== undefined && state.last < last.offset) state.last = last.offset;
    this.#wake();
    onStored?.(result);
  }

  /**
   * What is missing before the message. Throws UNAVAILABLE, so that it is read again, while the log says that it has it: then the
   * replica that was read lacks it, and another one may not.
   */
  async #gapBefore(state: PartitionState, { offset, timeMs }: LogMessage): Promise<LogGap | undefined> {
    const from = knownOf(state) + 1n;
    if (offset <= from) return undefined;
    const { partition } = state;
    if ((await this.#options.log.first(partition)) < offset && ++state.holeReads <= HOLE_READS_MAX) {
      const what = `the log gave message ${offset} of partition ${partition} before ${from}, which it has`;
      throw new StoreError('UNAVAILABLE', `${what}; it is read again`);
    }
    return { from, to: offset - 1n, fromMs: state.storedTimeMs, toMs: Math.round(timeMs) };
  }

  #miss(state: PartitionState, gap: LogGap): void {
    state.gap = joinGaps(state.gap, gap);
    this.#options.logger.error('the log has lost messages before this node read them; copy them from its twin', {
      gap: gapText(state.partition, gap),
      remedy: 'tracelith sync',
    });
  }

  async #look(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      for (const state of this.#states.values()) {
        await this.#lookAt(state);
        // A log that is away takes its time for each of them.
        if (this.#closing.signal.aborted) return;
      }
      await this.#lookForGaps();
      await this.#pause(this.#options.lookMs ?? LOOK_MS);
    }
  }

  /** An operator may have declared them filled. */
  async #lookForGaps(): Promise<void> {
    try {
      const stored = await this.#options.store.consumed();
      for (const state of this.#states.values()) state.gap = stored.get(state.partition)?.gap;
    } catch (error) {
      // The store is closing, or has ended the process already.
      if (!isStoreError(error)) throw error;
    }
  }

  async #lookAt(state: PartitionState): Promise<void> {
    try {
      state.last = await this.#options.log.last(state.partition);
    } catch (error) {
      // The loop of the partition tells.
      if (!isStoreError(error)) throw error;
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}

function refuseOthers(stored: readonly number[], partitions: readonly number[]): void {
  const others = stored.filter((partition) => !partitions.includes(partition)).sort((x, y) => x - y);
  if (others.length === 0) return;
  const has = `the data directory has partition ${others.join(', ')} of the log, and this node reads ${partitions.join(', ')}`;
  const way = 'a zone of another size (-ingestLog.nodes, -ingestLog.ordinal) begins with empty directories';
  throw new StoreError('CONFIG', `${has}: ${way}`);
}

/** Up to here the partition is stored, or was before it was read from its beginning again. */
function knownOf({ consumed, replayedUntil }: PartitionState): bigint {
  return consumed > replayedUntil ? consumed : replayedUntil;
}

/** Of a message that is not whole, none. */
function slicesOf(bytes: Uint8Array, encoding: ForeignEncoding | undefined): readonly LogSlice[] {
  try {
    return decodePayload(bytes, encoding);
  } catch (error) {
    if (!isFault(error)) throw error;
    return [];
  }
}

/** What a node lacks of a partition, for people. */
export function gapText(partition: number, { from, to, fromMs, toMs }: LogGap): string {
  const time = (ms: number): string => new Date(ms).toISOString();
  const since = fromMs === 0 ? 'before' : `between ${time(fromMs)} and`;
  return `partition ${partition}: messages ${from} to ${to}, which the log took ${since} ${time(toMs)}`;
}

/** The message itself cannot be stored, however often that is tried. */
function isFault(error: unknown): boolean {
  return (['CORRUPTION', 'INVALID_REQUEST', 'LIMIT_EXCEEDED', 'BUG'] as const).some((code) =>
    isStoreError(error, code),
  );
}

function isCorrupt(error: unknown): false {
  if (isStoreError(error, 'CORRUPTION')) return false;
  throw error;
}
