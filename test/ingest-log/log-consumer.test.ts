// Messages go from the log into a real store, each once and in order, whatever fails in between; and the store says how far it is.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { StoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { IngestLog, LogMessage } from '../../src/ingest-log/ingest-log.ts';
import { LocalLog } from '../../src/ingest-log/local-log.ts';
import {
  LogConsumer,
  type ConsumingStore,
  type LogConsumerOptions,
  type PartitionState,
} from '../../src/ingest-log/log-consumer.ts';
import { encodePayload } from '../../src/ingest-log/log-payload.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT, parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { memoryLog, openStore, TemporaryFolder } from '../storage/open-store.ts';
import { requestOf, storedSpans } from '../storage/stored-spans.ts';
import { spanSet } from '../support/span-set.ts';

const other = parseTenant('7', '3');

/** A message with the spans first … first + count - 1. */
const messageOf = (first: number, count = 2, tenant = DEFAULT_TENANT): Uint8Array =>
  encodePayload([{ tenant, body: requestOf({ first, count }) }]);

class Reading extends TemporaryFolder implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly aside: bigint[] = [];
  log: LocalLog = this.openLog();
  storage: Storage = openStore(join(this.path, 'store'));
  consumer: LogConsumer | undefined;

  openLog(): LocalLog {
    return new LocalLog({ path: join(this.path, 'log'), disk: nodeDisk, clock: systemClock, partitions: 3 });
  }

  get store(): ConsumingStore {
    return {
      consume: async (...args) => await this.storage.consume(...args),
      consumed: async () => this.storage.consumed(),
    };
  }

  async read(partitions: readonly number[], more: Partial<LogConsumerOptions> = {}): Promise<LogConsumer> {
    await this.consumer?.close();
    const { log, store } = this;
    const setAside = (_partition: number, { offset }: LogMessage): void => void this.aside.push(offset);
    const logger = memoryLog(this.lines);
    return (this.consumer = await LogConsumer.open({
      log,
      store,
      partitions,
      logger,
      setAside,
      retryMs: 2,
      shortMs: 20,
      ...more,
    }));
  }

  state(partition: number): PartitionState {
    return [...this.consumer!.states].find((state) => state.partition === partition)!;
  }

  async reached(partition: number, offset: bigint): Promise<void> {
    expect(await this.consumer!.reached(new Map([[partition, offset]]), 30_000)).toEqual(new Map());
  }

  stored(tenant: Tenant): string[] {
    return storedSpans(this.storage, nodeDisk, tenant);
  }

  async restart(): Promise<void> {
    await this.consumer?.close();
    this.consumer = undefined;
    await this.storage.close();
    this.storage = openStore(join(this.path, 'store'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.consumer?.close();
    await this.log.close();
    await this.storage.close();
    this[Symbol.dispose]();
  }
}

test('messages are stored in order, also those that come later, and a restart goes on behind them', async () => {
  await using made = new Reading();
  for (let n = 0; n < 30; n++) await made.log.append(1, messageOf(2 * n), `${n}`);
  await made.read([1, 2]);
  await made.reached(1, 30n);
  expect(made.stored(DEFAULT_TENANT)).toEqual(spanSet([requestOf({ first: 0, count: 60 })]));
  expect(made.storage.consumed().get(1)).toMatchObject({ offset: 30n });
  await made.log.append(1, messageOf(60, 2, other), 'other');
  await made.log.append(0, messageOf(70), 'of another node');
  await made.reached(1, 31n);
  expect(made.stored(other)).toEqual(spanSet([requestOf({ first: 60, count: 2 })]));
  await made.restart();
  await made.log.append(1, messageOf(62), 'later');
  await made.read([1, 2]);
  await made.reached(1, 32n);
  expect(made.state(1)).toMatchObject({ messages: 1, replayed: 0, gap: undefined });
  expect(made.stored(DEFAULT_TENANT)).toEqual(
    spanSet([requestOf({ first: 0, count: 60 }), requestOf({ first: 62, count: 2 })]),
  );
  expect(made.storage.consumed().get(0)).toBeUndefined();
});

test('who asks for more than there is learns how far it is, and is woken when it comes', async () => {
  await using made = new Reading();
  await made.log.append(0, messageOf(0), 'a');
  await made.read([0]);
  await made.reached(0, 1n);
  const ends = new Map([
    [0, 3n],
    [2, 9n],
  ]);
  // Partition 2 is another node's.
  expect(await made.consumer!.reached(ends, 1)).toEqual(new Map([[0, 1n]]));
  const waiting = made.consumer!.reached(ends, 60_000);
  await made.log.append(0, messageOf(2), 'b');
  await made.log.append(0, messageOf(4), 'c');
  expect(await waiting).toEqual(new Map());
  const leaving = new AbortController();
  const left = made.consumer!.reached(new Map([[0, 99n]]), 60_000, leaving.signal);
  leaving.abort();
  expect(await left).toEqual(new Map([[0, 3n]]));
});

test('a store that refuses is tried again, and nothing is passed over or stored twice', async () => {
  await using made = new Reading();
  for (let n = 0; n < 9; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  let refusals = 5;
  const consume: ConsumingStore['consume'] = async (...args) => {
    if (refusals-- > 0) throw new StoreError('READ_ONLY', 'the disk is full');
    return await made.storage.consume(...args);
  };
  await made.read([0], { store: { ...made.store, consume } });
  await made.reached(0, 9n);
  expect(made.lines.join('')).toMatch(/reading the log was interrupted.*the disk is full/s);
  expect(made.state(0).interrupted).toBe(5);
  expect((await made.storage.stats()).rowsStored).toBe(18);
});

/** The log, with the payload of one message damaged on every read, or on the first ones only. */
function damaging(log: LocalLog, offset: bigint, reads: number): IngestLog {
  let left = reads;
  return {
    partitions: log.partitions,
    messageBytesMax: log.messageBytesMax,
    append: log.append.bind(log),
    first: log.first.bind(log),
    last: log.last.bind(log),
    identify: log.identify.bind(log),
    describe: log.describe.bind(log),
    close: log.close.bind(log),
    async *read(partition, from, signal) {
      for await (const message of log.read(partition, from, signal)) {
        if (message.offset !== offset || left-- <= 0) yield message;
        else {
          const bytes = message.bytes.slice();
          bytes[bytes.length - 1]! ^= 1;
          yield { ...message, bytes };
        }
      }
    },
  };
}

test('a damaged message is read again; one that stays damaged is put aside, and the others are stored', async () => {
  await using made = new Reading();
  for (let n = 0; n < 6; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0], { log: damaging(made.log, 3n, 3) });
  await made.reached(0, 6n);
  expect(made.aside).toEqual([]);
  expect(made.stored(DEFAULT_TENANT)).toEqual(spanSet([requestOf({ first: 0, count: 12 })]));
  await made.consumer!.close();
  for (let n = 6; n < 9; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0], { log: damaging(made.log, 8n, Infinity) });
  await made.reached(0, 9n);
  expect(made.aside).toEqual([8n]);
  expect(made.state(0).setAside).toBe(1);
  expect(made.stored(DEFAULT_TENANT)).toEqual(
    spanSet([requestOf({ first: 0, count: 14 }), requestOf({ first: 16, count: 2 })]),
  );
  await made.restart();
  await made.read([0]);
  await made.reached(0, 9n);
  expect(made.state(0).messages).toBe(0);
});

test('a damaged message that is read again while the node closes is not put aside', async () => {
  await using made = new Reading();
  await made.log.append(0, messageOf(0), 'a');
  const damaged = damaging(made.log, 1n, Infinity);
  const opened = Promise.withResolvers<LogConsumer>();
  const closed = Promise.withResolvers<void>();
  let reads = 0;
  const log: IngestLog = {
    ...damaged,
    async *read(...args) {
      if (++reads === 2) closed.resolve((await opened.promise).close());
      yield* damaged.read(...args);
    },
  };
  opened.resolve(await made.read([0], { log }));
  await closed.promise;
  expect(reads).toBeGreaterThan(1);
  expect(made.aside).toEqual([]);
  await made.read([0]);
  await made.reached(0, 1n);
  expect(made.stored(DEFAULT_TENANT)).toEqual(spanSet([requestOf({ first: 0, count: 2 })]));
});

test('a node that closes does not ask a log that is away for one partition after the other', async () => {
  await using made = new Reading();
  const away = new StoreError('UNAVAILABLE', 'the log is away');
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<bigint>();
  let questions = 0;
  const log: IngestLog = {
    ...damaging(made.log, 0n, 0),
    identify: async () => await Promise.reject(away),
    last: async () => {
      questions++;
      asked.resolve();
      return await answer.promise;
    },
  };
  const consumer = await made.read([0, 1, 2], { log });
  await asked.promise;
  const closing = consumer.close();
  answer.reject(away);
  await closing;
  expect(questions).toBe(1);
});

test('a store with partitions that are other nodes’ now is refused', async () => {
  await using made = new Reading();
  for (const partition of [0, 1, 2]) await made.log.append(partition, messageOf(2 * partition), 'a');
  await made.read([0, 2]);
  await made.reached(2, 1n);
  await made.reached(0, 1n);
  await expect(made.read([0])).rejects.toMatchObject({
    code: 'CONFIG',
    message: expect.stringMatching(
      /^the data directory has partition 2 of the log, and this node reads 0: .*empty directories$/,
    ),
  });
  await made.read([0, 1, 2]);
  await made.reached(1, 1n);
});

test('what is no request is put aside', async () => {
  await using made = new Reading();
  await made.log.append(0, Uint8Array.of(0x0a, 0xff), 'garbage');
  await made.log.append(0, messageOf(0), 'good');
  await made.read([0]);
  await made.reached(0, 2n);
  expect(made.aside).toEqual([1n]);
  expect(made.stored(DEFAULT_TENANT)).toEqual(spanSet([requestOf({ first: 0, count: 2 })]));
});

test('of a message of which a part cannot be stored the others are, and all of it is put aside', async () => {
  await using made = new Reading();
  await made.log.append(0, messageOf(0), 'before');
  const slices = [
    { tenant: DEFAULT_TENANT, body: requestOf({ first: 2, count: 2 }) },
    { tenant: DEFAULT_TENANT, body: Uint8Array.of(0x0a, 0xff) },
    { tenant: other, body: requestOf({ first: 4, count: 2 }) },
  ];
  await made.log.append(0, encodePayload(slices), 'partly good');
  await made.log.append(0, messageOf(6), 'behind');
  await made.read([0]);
  await made.reached(0, 3n);
  expect(made.aside).toEqual([2n]);
  expect(made.state(0)).toMatchObject({ messages: 3, setAside: 1, gap: undefined });
  expect(made.stored(other)).toEqual(spanSet([requestOf({ first: 4, count: 2 })]));
  expect(made.stored(DEFAULT_TENANT)).toEqual(
    spanSet([requestOf({ first: 0, count: 4 }), requestOf({ first: 6, count: 2 })]),
  );
});

test('however well messages are compressed, one commit gets a few MiB of requests at most, or one message', async () => {
  await using made = new Reading();
  const service = 'x'.repeat(1 << 20);
  for (let n = 0; n < 9; n++) {
    const slices = [{ tenant: DEFAULT_TENANT, body: requestOf({ first: 2 * n, count: 2, service }) }];
    await made.log.append(0, encodePayload(n === 4 ? Array.from({ length: 6 }, () => slices[0]!) : slices), `${n}`);
  }
  const allRead = Promise.withResolvers<void>();
  const log: IngestLog = {
    ...damaging(made.log, 0n, 0),
    async *read(...args) {
      for await (const message of made.log.read(...args)) {
        yield message;
        if (message.offset === 9n) allRead.resolve();
      }
    },
  };
  const sizes: number[] = [];
  const consume: ConsumingStore['consume'] = async (requests, place) => {
    await allRead.promise;
    sizes.push(requests.reduce((sum, { body }) => sum + body.length, 0) / service.length);
    return await made.storage.consume(requests, place);
  };
  await made.read([0], { log, store: { ...made.store, consume } });
  await made.reached(0, 9n);
  expect(sizes.filter((size) => size > 4).map(Math.floor)).toEqual([6]);
  expect(sizes.reduce((sum, size) => sum + size)).toBeCloseTo(14, 1);
});

/** All five messages that the log had are stored, and it has the first two of them now. */
async function loseEnd(made: Reading): Promise<void> {
  for (let n = 0; n < 5; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0]);
  await made.reached(0, 5n);
  await made.consumer!.close();
  await made.log.close();
  rmSync(join(made.path, 'log'), { recursive: true });
  mkdirSync(join(made.path, 'log'));
  made.log = made.openLog();
  for (let n = 0; n < 2; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
}

test('a log that says for a moment that it ends earlier is not read again', async () => {
  await using made = new Reading();
  for (let n = 0; n < 5; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0]);
  await made.reached(0, 5n);
  let calls = 0;
  const last: IngestLog['last'] = async (partition) => {
    if (++calls <= 3) return 2n;
    if (calls === 4) throw new StoreError('UNAVAILABLE', 'the log is away');
    return await made.log.last(partition);
  };
  await made.read([0], { log: { ...changed(made.log, {}), last }, shortMs: 60_000 });
  await made.log.append(0, messageOf(10), 'new');
  await made.reached(0, 6n);
  expect(made.state(0)).toMatchObject({ messages: 1, replayed: 0 });
  expect(made.lines.join('')).not.toMatch(/ends before/);
});

test('a node closes at once while it asks a log for its end again; the place stays', async () => {
  await using made = new Reading();
  await loseEnd(made);
  await made.read([0], { shortMs: 600_000 });
  await expect.poll(() => made.state(0).last).toBe(2n);
  await made.consumer!.close();
  expect(made.state(0)).toMatchObject({ messages: 0, consumed: 5n });
});

test('a log that ended too early and was made anew then is read from its beginning', async () => {
  await using made = new Reading();
  await loseEnd(made);
  const log = { ...changed(made.log, {}) };
  await made.read([0], { log, shortMs: 600_000 });
  await expect.poll(() => made.state(0).last).toBe(2n);
  log.last = async () => {
    Object.assign(log, changed(made.log, { identity: 'anew' }));
    throw new StoreError('UNAVAILABLE', 'the log is away');
  };
  await expect.poll(() => made.state(0).messages).toBe(2);
  expect(made.lines.join('')).toMatch(/was made anew/);
  expect(made.lines.join('')).not.toMatch(/ends before/);
});

test('others that come in place of what the log lost are read, even while it is asked for its end again', async () => {
  await using made = new Reading();
  await loseEnd(made);
  let refusals = 4;
  const last: IngestLog['last'] = async (partition) => {
    const end = await made.log.last(partition);
    if (end >= 5n && refusals-- > 0) throw new StoreError('UNAVAILABLE', 'the log is away');
    return end;
  };
  await made.read([0], { log: { ...changed(made.log, {}), last }, shortMs: 60_000 });
  await expect.poll(() => made.state(0).last).toBe(2n);
  expect(made.state(0)).toMatchObject({ messages: 0, consumed: 5n });
  for (let n = 0; n < 6; n++) await made.log.append(0, messageOf(100 + 2 * n), `new ${n}`);
  await expect.poll(() => made.state(0).messages, { timeout: 10_000 }).toBe(8);
  expect(new Set(made.stored(DEFAULT_TENANT)).size).toBe(22);
});

test('a log that lost its end is read from its beginning, which is shown once', async () => {
  await using made = new Reading();
  await loseEnd(made);
  await made.read([0]);
  await made.log.append(0, messageOf(100), 'new');
  await expect.poll(() => new Set(made.stored(DEFAULT_TENANT)).size).toBe(12);
  await made.reached(0, 3n);
  expect(made.lines.join('')).toMatch(/the log ends before what was read of it/);
  expect(made.state(0)).toMatchObject({ gap: undefined });
});

/** The log as another one: made anew, with its first messages dropped, or without one of them on the first reads. */
function changed(
  log: LocalLog,
  {
    identity,
    first = 1n,
    hole = 0n,
    holeReads = Infinity,
  }: { readonly identity?: string; readonly first?: bigint; readonly hole?: bigint; readonly holeReads?: number },
): IngestLog {
  let left = holeReads;
  return {
    ...damaging(log, 0n, 0),
    identify: async (partition) => identity ?? (await log.identify(partition)),
    first: async () => first,
    async *read(partition, from, signal) {
      for await (const message of log.read(partition, from < first ? first : from, signal))
        if (message.offset !== hole || left-- <= 0) yield message;
    },
  };
}

test('messages that the log dropped before they were read are told, with the time they are of, and stay told', async () => {
  await using made = new Reading();
  for (let n = 0; n < 8; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0], { log: changed(made.log, { first: 4n }) });
  await made.reached(0, 8n);
  const gap = { from: 1n, to: 3n, fromMs: 0, toMs: expect.toSatisfy((ms: number) => ms <= Date.now()) as number };
  expect(made.state(0).gap).toEqual(gap);
  expect(made.lines.join('')).toMatch(
    /the log has lost messages before this node read them.*partition 0: messages 1 to 3, which the log took before 20/,
  );
  await made.restart();
  await made.read([0], { lookMs: 5 });
  expect(made.state(0).gap).toEqual(gap);
  for (let n = 8; n < 12; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.reached(0, 12n);
  const stored = made.state(0).storedTimeMs;
  await made.read([0], { log: changed(made.log, { first: 14n }) });
  await made.reached(0, 13n);
  expect(stored).toBeGreaterThan(0);
  expect(made.state(0).gap).toMatchObject({ from: 1n, to: 13n, fromMs: 0 });
  await made.storage.fillGaps();
  await made.read([0], { lookMs: 5, log: changed(made.log, { first: 16n }) });
  await expect.poll(() => made.state(0).gap?.from).toBe(14n);
  expect(made.state(0).gap!.fromMs).toBeGreaterThanOrEqual(stored);
  await made.storage.fillGaps();
  await expect.poll(() => made.state(0).gap).toBeUndefined();
});

test('a hole in what is read is read again; where it stays, it is told', async () => {
  await using made = new Reading();
  for (let n = 0; n < 6; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0], { log: changed(made.log, { hole: 3n, holeReads: 2 }) });
  await made.reached(0, 6n);
  expect(made.state(0).gap).toBeUndefined();
  expect(made.lines.join('')).toMatch(/gave message 4 of partition 0 before 3, which it has; it is read again/);
  expect(made.stored(DEFAULT_TENANT)).toEqual(spanSet([requestOf({ first: 0, count: 12 })]));
  await made.consumer!.close();
  for (let n = 6; n < 9; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0], { log: changed(made.log, { hole: 8n }) });
  await made.reached(0, 9n);
  expect(made.state(0).gap).toMatchObject({ from: 8n, to: 8n });
});

test('a partition that was made anew is read from its beginning, and what the earlier one held is told as missing', async () => {
  await using made = new Reading();
  for (let n = 0; n < 4; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0]);
  await made.reached(0, 4n);
  await made.read([0], { log: changed(made.log, { identity: 'anew' }) });
  await expect.poll(() => made.state(0).messages).toBe(4);
  expect(made.storage.consumed().get(0)).toMatchObject({ identity: 'anew', offset: 4n, gap: { from: 5n, to: 5n } });
  expect(made.lines.join('')).toMatch(/a partition of the log was made anew/);
});

test('what a partition that was made anew has lost is told, also if the store refuses at first', async () => {
  await using made = new Reading();
  for (let n = 0; n < 4; n++) await made.log.append(0, messageOf(2 * n), `${n}`);
  await made.read([0]);
  await made.reached(0, 4n);
  let refusals = 3;
  const consume: ConsumingStore['consume'] = async (...args) => {
    if (refusals-- > 0) throw new StoreError('READ_ONLY', 'the disk is full');
    return await made.storage.consume(...args);
  };
  await made.read([0], { log: changed(made.log, { identity: 'anew' }), store: { ...made.store, consume } });
  await expect.poll(() => made.state(0).messages).toBe(4);
  expect(made.storage.consumed().get(0)).toMatchObject({ identity: 'anew', offset: 4n, gap: { from: 5n, to: 5n } });
});
