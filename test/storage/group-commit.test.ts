// The group commit alone, over a log whose disk the test holds back or fails.
import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { isStoreError, StoreError } from '../../src/base/errors.ts';
import { LogAppend } from '../../src/partition/log-file.ts';
import { GroupCommit } from '../../src/storage/group-commit.ts';
import { DEFAULT_TENANT, type Tenant } from '../../src/trace/tenant.ts';
import { spanSet } from '../support/span-set.ts';
import { blockSpans, DAY_NS, NOON_NS, requestOf } from './stored-spans.ts';

interface HeldAppend {
  readonly day: number;
  readonly blocks: readonly Uint8Array[];
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
  outcome: 'under way' | 'published' | 'cancelled';
}

/** A log that keeps every append until the test lets it end. */
class HeldLog {
  readonly appends: HeldAppend[] = [];
  #arrived = Promise.withResolvers<void>();

  append(day: number, blocks: readonly Uint8Array[]): LogAppend {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const held: HeldAppend = { day, blocks, finish: resolve, fail: reject, outcome: 'under way' };
    this.appends.push(held);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
    return new LogAppend(promise, {
      publish: () => void (held.outcome = 'published'),
      cancel: () => void (held.outcome = 'cancelled'),
    });
  }

  async waitFor(count: number): Promise<void> {
    while (this.appends.length < count) await this.#arrived.promise;
  }

  commit(stepMs = 20): GroupCommit {
    return new GroupCommit({
      append: (day, blocks) => this.append(day, blocks),
      acceptedSpans: () => ({ startMinNs: 0n, startMaxNs: 2n ** 64n - 1n }),
      stepMs,
      onFailedRequest: ({ error }) => new StoreError('BUG', String(error)),
    });
  }
}

const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'stored',
    (error: unknown) => (isStoreError(error) ? error.code : String(error)),
  );
const one = (n: number): Uint8Array<ArrayBuffer> => requestOf({ first: n, count: 1 });

describe('a group commit', () => {
  test('takes everything that arrived while the one before it was under way', async () => {
    const log = new HeldLog();
    const commit = log.commit();
    const first = commit.write(DEFAULT_TENANT, one(0));
    await log.waitFor(1);
    const later = [1, 2, 3].map((n) => commit.write(DEFAULT_TENANT, one(n)));
    log.appends[0]!.finish();
    await first;
    await log.waitFor(2);
    expect(blockSpans(log.appends[1]!.blocks[0]!)).toEqual(spanSet([1, 2, 3].map(one)));
    log.appends[1]!.finish();
    await Promise.all(later);
    expect(commit.stats.commits).toBe(2);
  });

  test('takes the request of one tenant behind a flood of another, which has its share and waits for the next', async () => {
    const log = new HeldLog();
    // However slow the machine, none of them is large.
    const commit = log.commit(60_000);
    const [greedy, modest] = ['1:0', '2:0'] as Tenant[];
    // Both have sent lately.
    const before = [greedy!, modest!].map((tenant) => commit.write(tenant, one(0)));
    await log.waitFor(1);
    const flood = Array.from({ length: 20 }, (_, i) =>
      commit.write(greedy!, requestOf({ first: 1_000 * i, count: 1_000 })),
    );
    const late = commit.write(modest!, one(1));
    // Two of the commit under way, five requests of the flood, and the one behind it.
    await expect.poll(() => commit.stats.pendingRows).toBe(5_003);
    log.appends[0]!.finish();
    await Promise.all(before);
    await log.waitFor(2);
    expect(commit.stats.pendingRows).toBe(5_001);
    expect(log.appends[1]!.blocks.map((block) => blockSpans(block).length).toSorted((a, b) => a - b)).toEqual([
      1, 5_000,
    ]);
    log.appends[1]!.finish();
    await late;
    let isOver = false;
    const all = Promise.all(flood).then(() => void (isOver = true));
    for (let i = 2; !isOver; i++) {
      await Promise.race([log.waitFor(i + 1), all]);
      log.appends[i]?.finish();
    }
    expect(commit.stats.pendingRows).toBe(0);
  });

  test('answers nobody before its blocks are published', async () => {
    const log = new HeldLog();
    const commit = log.commit();
    let isAnswered = false;
    const write = commit.write(DEFAULT_TENANT, one(0)).then(() => {
      isAnswered = true;
      expect(log.appends[0]!.outcome).toBe('published');
    });
    await log.waitFor(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    log.appends[0]!.finish();
    await write;
  });

  test('that fails fails exactly its own requests, and the next one stores', async () => {
    const log = new HeldLog();
    const commit = log.commit();
    const doomed = [0, 1].map((n) => outcomeOf(commit.write(DEFAULT_TENANT, one(n))));
    await log.waitFor(1);
    const next = outcomeOf(commit.write(DEFAULT_TENANT, one(2)));
    log.appends[0]!.fail(new StoreError('DISK', 'no space'));
    expect(await Promise.all(doomed)).toEqual(['DISK', 'DISK']);
    await log.waitFor(2);
    log.appends[1]!.finish();
    expect(await next).toBe('stored');
    expect(blockSpans(log.appends[1]!.blocks[0]!)).toEqual(spanSet([one(2)]));
    expect(log.appends.map((append) => append.outcome)).toEqual(['cancelled', 'published']);
  });

  test('over two days is given up in both when one fails', async () => {
    const log = new HeldLog();
    const commit = log.commit();
    const body = requestOf({ first: 0, count: 2, startNs: (n) => NOON_NS - BigInt(n) * DAY_NS });
    const write = outcomeOf(commit.write(DEFAULT_TENANT, body));
    await log.waitFor(2);
    log.appends[0]!.finish();
    log.appends[1]!.fail(new StoreError('DISK', 'broken'));
    expect(await write).toBe('DISK');
    expect(log.appends.map((append) => append.outcome)).toEqual(['cancelled', 'cancelled']);
  });

  test('answers small requests while a large one is scanned in steps', async () => {
    const log = new HeldLog();
    const commit = log.commit(0);
    const order: string[] = [];
    // Empty groups: 80 KB that are some eighty steps of work.
    const groups = new Uint8Array(Buffer.concat([Buffer.alloc(80_000, Buffer.from([0x0a, 0])), one(0)]));
    const large = commit.write(DEFAULT_TENANT, groups).then(() => order.push('large'));
    const small = [1, 2].map(async (n) => {
      await commit.write(DEFAULT_TENANT, one(n));
      order.push('small');
    });
    await log.waitFor(1);
    log.appends[0]!.finish();
    await Promise.all(small);
    await log.waitFor(2);
    log.appends[1]!.finish();
    await large;
    expect(order).toEqual(['small', 'small', 'large']);
    expect(log.appends.map(({ blocks }) => blocks.flatMap((block) => blockSpans(block)))).toEqual([
      spanSet([1, 2].map(one)),
      spanSet([one(0)]),
    ]);
  });

  test('that is broken while a large request is scanned tells it, too', async () => {
    const log = new HeldLog();
    const commit = log.commit(0);
    const groups = new Uint8Array(Buffer.concat([Buffer.alloc(80_000, Buffer.from([0x0a, 0])), one(0)]));
    const outcomes = [groups, groups.slice(), one(1)].map((body) => outcomeOf(commit.write(DEFAULT_TENANT, body)));
    await log.waitFor(1);
    log.appends[0]!.fail(new BugError('the ground shook'));
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['BugError: BUG: the ground shook']));
    await commit.idle();
  });

  test('that meets a bug passes it to every request, waiting or to come', async () => {
    const log = new HeldLog();
    const commit = log.commit();
    const first = outcomeOf(commit.write(DEFAULT_TENANT, one(0)));
    await log.waitFor(1);
    const waiting = outcomeOf(commit.write(DEFAULT_TENANT, one(1)));
    log.appends[0]!.fail(new BugError('the ground shook'));
    const texts = await Promise.all([first, waiting, outcomeOf(commit.write(DEFAULT_TENANT, one(2)))]);
    expect(new Set(texts)).toEqual(new Set(['BugError: BUG: the ground shook']));
    await commit.idle();
  });
});
