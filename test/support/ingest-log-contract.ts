// What every log must do, whatever stands behind it. Each test has partitions, or streams, of its own.
import { expect, test } from 'vitest';
import type { IngestLog, LogMessage } from '../../src/ingest-log/ingest-log.ts';

export const PARTITIONS = 3;

export interface Place {
  /** Opens the same log again. */
  open(): IngestLog;
}

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
export const textOf = ({ bytes }: LogMessage): string => Buffer.from(bytes).toString();

/** The first `count` messages from `from` on. Throws when the reading is interrupted. */
export async function take(log: IngestLog, partition: number, from: bigint, count: number): Promise<LogMessage[]> {
  const taken: LogMessage[] = [];
  const done = new AbortController();
  for await (const message of log.read(partition, from, done.signal)) {
    taken.push(message);
    if (taken.length === count) done.abort();
    if (taken.length >= count) break;
  }
  return taken;
}

/** The same of a log that was just made, whose servers may not know of each other's readers yet: it is read again, as a storage node does. */
async function takeNew(log: IngestLog, partition: number, from: bigint, count: number): Promise<LogMessage[]> {
  let taken: LogMessage[] = [];
  await expect
    .poll(async () => (taken = await take(log, partition, from, count)), { timeout: 20_000 })
    .toHaveLength(count);
  return taken;
}

/** Of a log that was just made: it may have nobody yet who takes the first message. The same id again is harmless. */
async function appendFirst(log: IngestLog, partition: number, text: string, id: string): Promise<bigint> {
  const appending = async (): Promise<bigint> => await log.append(partition, bytesOf(text), id);
  let offset: bigint | undefined;
  await expect.poll(async () => (offset = await appending()), { timeout: 20_000, interval: 250 }).toBeGreaterThan(0n);
  return offset!;
}

/** `keepsIds`: an id is known to a process that opens the log later, too. */
export function contract(newPlace: () => Place, { keepsIds = true }: { readonly keepsIds?: boolean } = {}): void {
  let log: IngestLog;
  let place: Place;
  const begin = (): IngestLog => {
    place = newPlace();
    return (log = place.open());
  };

  test('an empty partition ends at 0, and the first message has the offset 1', { timeout: 60_000 }, async () => {
    begin();
    // Its servers may not have heard of each other yet.
    await expect.poll(async () => await log.last(0), { timeout: 20_000 }).toBe(0n);
    expect(await log.first(0)).toBe(1n);
    expect(await appendFirst(log, 0, 'a', 'id-a')).toBe(1n);
    expect([await log.first(0), await log.last(0)]).toEqual([1n, 1n]);
    expect(await log.last(1)).toBe(0n);
    await log.close();
  });

  test('what is acknowledged is read in order, from any offset, with its id', { timeout: 60_000 }, async () => {
    begin();
    const words = Array.from({ length: 40 }, (_, n) => `message ${n}`);
    const before = Date.now();
    for (const word of words) await appendFirst(log, 1, word, `id of ${word}`);
    const all = await take(log, 1, 1n, words.length);
    expect(all.map(textOf)).toEqual(words);
    expect(all.map(({ offset }) => offset)).toEqual(words.map((_, n) => BigInt(n + 1)));
    expect(all[7]!.id).toBe('id of message 7');
    expect(all[0]!.timeMs).toBeGreaterThan(before - 60_000);
    expect(all[0]!.timeMs).toBeLessThan(Date.now() + 60_000);
    expect((await take(log, 1, 31n, 10)).map(textOf)).toEqual(words.slice(30));
    expect((await take(log, 1, 0n, 1)).map(textOf)).toEqual(words.slice(0, 1));
    await log.close();
  });

  test('a reader at the end gets what comes later', { timeout: 60_000 }, async () => {
    begin();
    await appendFirst(log, 2, 'first', 'a');
    const reading = takeNew(log, 2, 1n, 3);
    await log.append(2, bytesOf('second'), 'b');
    await log.append(2, bytesOf('third'), 'c');
    expect((await reading).map(textOf)).toEqual(['first', 'second', 'third']);
    await log.close();
  });

  test('the same id again is the same message', { timeout: 60_000 }, async () => {
    begin();
    expect(await appendFirst(log, 0, 'once', 'same')).toBe(1n);
    expect(await log.append(0, bytesOf('once'), 'same')).toBe(1n);
    // While the first is on its way, the second may be refused, and is made again.
    const append = async (): Promise<bigint> => await log.append(0, bytesOf('two'), 'other').catch(append);
    expect(await Promise.all([append(), append()])).toEqual([2n, 2n]);
    expect(await log.last(0)).toBe(2n);
    // Ids are of one partition.
    expect(await appendFirst(log, 1, 'once', 'same')).toBe(1n);
    await log.close();
  });

  test('appends at the same time get offsets of their own', { timeout: 60_000 }, async () => {
    begin();
    const offsets = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => await log.append(0, bytesOf(`${n}`), `${n}`)),
    );
    expect(offsets.toSorted((x, y) => Number(x - y))).toEqual(Array.from({ length: 50 }, (_, n) => BigInt(n + 1)));
    const read = await take(log, 0, 1n, 50);
    for (const message of read) expect(message.offset).toBe(offsets[Number(textOf(message))]);
    await log.close();
  });

  test('any bytes come back as they were, up to the largest message', { timeout: 60_000 }, async () => {
    begin();
    await log.append(0, new Uint8Array(0), 'empty');
    const large = new Uint8Array(log.messageBytesMax - 1_024).map((_, n) => (n * 31) >> 3);
    await log.append(0, large, 'large');
    const [empty, whole] = await take(log, 0, 1n, 2);
    expect(empty!.bytes).toHaveLength(0);
    expect(Buffer.compare(whole!.bytes, large)).toBe(0);
    await expect(log.append(0, new Uint8Array(log.messageBytesMax + 1), 'huge')).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    expect(await log.last(0)).toBe(2n);
    await log.close();
  });

  test('messages, ids and identity outlive the one who opened it', { timeout: 60_000 }, async () => {
    begin();
    await appendFirst(log, 0, 'kept', 'kept');
    const identity = await log.identify(0);
    await log.close();
    log = place.open();
    expect(await log.identify(0)).toBe(identity);
    if (keepsIds) expect(await log.append(0, bytesOf('kept'), 'kept')).toBe(1n);
    expect((await take(log, 0, 1n, 1)).map(textOf)).toEqual(['kept']);
    expect(await log.append(0, bytesOf('more'), 'more')).toBe(2n);
    await log.close();
  });

  test('a signal ends a read that waits, and so does close', { timeout: 60_000 }, async () => {
    begin();
    const all = async (signal?: AbortSignal): Promise<number> => {
      let count = 0;
      for await (const _message of log.read(0, 1n, signal)) count++;
      return count;
    };
    await log.last(0);
    const leaving = new AbortController();
    const [left, closed] = [all(leaving.signal), all()];
    leaving.abort();
    expect(await left).toBe(0);
    await log.close();
    expect(await closed).toBe(0);
    await expect(log.append(0, bytesOf('late'), 'late')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(log.last(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(log.first(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
}
