// The group commit under random schedules: whatever several tenants send, in whatever order, over a disk that is slow and
// fails, every request is answered, with what became of it, and exactly what was acknowledged is published.
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { isStoreError, StoreError } from '../../src/base/errors.ts';
import { LogAppend } from '../../src/partition/log-file.ts';
import { GroupCommit } from '../../src/storage/group-commit.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { spanSet } from '../support/span-set.ts';
import { blockSpans, DAY_NS, NOON_NS, requestOf, traceIdOf } from './stored-spans.ts';

type Kind = 'good' | 'tooOld' | 'malformed' | 'empty' | 'groups' | 'bug';
type Step =
  | { readonly send: Kind; readonly tenant: Tenant }
  /** The oldest write of the log ends. */
  | { readonly disk: 'writes' | 'fails' };

/** Of this day a request is asked in the middle of its scan, and the question fails. */
const BUGGY_DAY = 1;
const OLD_NS = NOON_NS - 400n * DAY_NS;

const tooOld = encodeRequest({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              traceId: traceIdOf(1),
              spanId: new Uint8Array(8).fill(1),
              startTimeUnixNano: OLD_NS,
              attributes: [{ key: 'padding', value: { stringValue: 'x'.repeat(3 << 20) } }],
            },
          ],
        },
      ],
    },
  ],
});
/** Many groups are more than one step of work, however few bytes they have. */
const groups = new Uint8Array(80_000).map((_, i) => (i % 2 === 0 ? 0x0a : 0));

function bodyOf(kind: Kind, n: number): Uint8Array<ArrayBuffer> {
  const good = requestOf({ first: 10 * n, count: 1 + (n % 10) });
  switch (kind) {
    case 'good':
      return good;
    case 'tooOld':
      return tooOld;
    case 'malformed':
      return good.slice(0, good.length - 1);
    case 'empty':
      return new Uint8Array(0);
    case 'groups':
      return new Uint8Array(Buffer.concat([groups, good]));
    case 'bug':
      // The first span is fine: the scan fails half way.
      return new Uint8Array(
        Buffer.concat([good, requestOf({ first: n, count: 1, startNs: () => BigInt(BUGGY_DAY) * DAY_NS })]),
      );
  }
}

const EXPECTED: Readonly<Record<Kind, readonly string[]>> = {
  good: ['stored', 'DISK'],
  groups: ['stored', 'DISK'],
  tooOld: ['rejected'],
  empty: ['empty'],
  malformed: ['INVALID_REQUEST'],
  bug: ['BUG'],
};

/** A log whose writes end when the schedule says so. */
class ScheduledLog {
  readonly published: string[] = [];
  readonly #open: { readonly finish: () => void; readonly fail: (error: Error) => void }[] = [];

  append(blocks: readonly Uint8Array[]): LogAppend {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#open.push({ finish: resolve, fail: reject });
    return new LogAppend(promise, {
      publish: () => void this.published.push(...blocks.flatMap((block) => blockSpans(block))),
      cancel: () => undefined,
    });
  }

  end(how: 'writes' | 'fails'): void {
    const oldest = this.#open.shift();
    if (how === 'writes') oldest?.finish();
    else oldest?.fail(new StoreError('DISK', 'no space'));
  }
}

function openCommit(log: ScheduledLog): GroupCommit {
  const acceptsDay = (day: number): boolean => {
    if (day === BUGGY_DAY) throw new BugError('asked for the day that fails');
    return true;
  };
  return new GroupCommit({
    append: (_day, blocks) => log.append(blocks),
    acceptedSpans: () => ({
      startMinNs: 0n,
      startMaxNs: 2n ** 64n - 1n,
      acceptsDay: (day: number) => day !== Number(OLD_NS / DAY_NS) && acceptsDay(day),
    }),
    // What is not scanned by the first look at the clock is scanned in steps.
    stepMs: 0,
    onFailedRequest: ({ error }) => new StoreError('BUG', String(error)),
  });
}

interface Sent {
  readonly kind: Kind;
  readonly body: Uint8Array;
  outcome: string | undefined;
}

function send(commit: GroupCommit, tenant: Tenant, request: Sent): Promise<void> {
  return commit.write(tenant, request.body).then(
    ({ stored, rejected }) => void (request.outcome = stored > 0 ? 'stored' : rejected.size > 0 ? 'rejected' : 'empty'),
    (error: unknown) => void (request.outcome = isStoreError(error) ? error.code : String(error)),
  );
}

async function play(steps: readonly Step[]): Promise<void> {
  const log = new ScheduledLog();
  const commit = openCommit(log);
  const sent: Sent[] = [];
  for (const step of steps) {
    if ('disk' in step) log.end(step.disk);
    else {
      const request: Sent = { kind: step.send, body: bodyOf(step.send, sent.length), outcome: undefined };
      sent.push(request);
      void send(commit, step.tenant, request);
    }
    if (sent.length % 3 === 0) await turn();
  }
  // From here on the disk works: nobody may wait for anything else.
  for (let turns = 0; turns < 1_000 && sent.some(({ outcome }) => outcome === undefined); turns++) {
    log.end('writes');
    await turn();
  }
  for (const { kind, outcome } of sent) expect(EXPECTED[kind], `a ${kind} request: ${outcome}`).toContain(outcome);
  const acknowledged = sent.filter(({ outcome }) => outcome === 'stored').map(({ body }) => body);
  expect(log.published.toSorted()).toEqual(spanSet(acknowledged));
  expect(commit.pendingBytes).toBe(0);
  await commit.idle();
}

const tenants = fc.constantFrom('0:0' as Tenant, '1:0' as Tenant, '2:7' as Tenant);
const kinds = fc.constantFrom<Kind>('good', 'good', 'tooOld', 'malformed', 'empty', 'groups', 'bug');
const steps = fc.oneof(
  { weight: 3, arbitrary: fc.record({ send: kinds, tenant: tenants }) },
  {
    weight: 1,
    arbitrary: fc.record({ disk: fc.constantFrom('writes' as const, 'writes' as const, 'fails' as const) }),
  },
);

test('every request is answered, and what was acknowledged is what is published', async () => {
  await fc.assert(fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 40 }), play), { numRuns: 60 });
}, 120_000);

test('requests of which nothing is stored do not keep the next one from being stored', async () => {
  const rejected = Array.from({ length: 12 }, () => ({ send: 'tooOld' as const, tenant: '0:0' as Tenant }));
  await play([...rejected, { send: 'good', tenant: '0:0' as Tenant }, { send: 'good', tenant: '1:0' as Tenant }]);
});
