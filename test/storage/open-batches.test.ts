// What requests leave behind in the open commit: their rows, or nothing.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { OpenBatches, type ScanRules } from '../../src/storage/open-batches.ts';
import { DEFAULT_TENANT, type Tenant } from '../../src/trace/tenant.ts';
import { DAY_NS, requestOf } from './stored-spans.ts';

const ALL_TIME = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };
const rules: ScanRules = { bounds: ALL_TIME, stepMs: Infinity };
const good = requestOf({ first: 0, count: 5 });
const tooOld = requestOf({ first: 0, count: 5, startNs: () => DAY_NS });
const bounds = { ...ALL_TIME, startMinNs: 2n * DAY_NS };

const rowsOf = (batches: OpenBatches): number[] => [...batches.open()].map(({ batch }) => batch.rowCount);
const bytesOf = (batches: OpenBatches): number[] => [...batches.open()].map(({ batch }) => batch.rowBytes);

describe('a request of which nothing is stored', () => {
  const fails: readonly [string, (batches: OpenBatches, tenant: Tenant) => void][] = [
    ['that is empty', (batches, tenant) => void batches.scan(tenant, new Uint8Array(0), rules)],
    ['whose spans are all rejected', (batches, tenant) => void batches.scan(tenant, tooOld, { ...rules, bounds })],
    ['that is malformed', (batches, tenant) => expect(() => batches.scan(tenant, good.subarray(1), rules)).toThrow()],
    [
      'of a day that may not be written',
      (batches, tenant) => {
        const assertWritable = (): void => {
          throw new StoreError('UNAVAILABLE', 'detached');
        };
        expect(() => batches.scan(tenant, good, { ...rules, assertWritable })).toThrow('detached');
      },
    ],
    [
      'that is more than one step',
      (batches, tenant) => {
        const groups = new Uint8Array(100_000).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
        expect(batches.scan(tenant, groups, { ...rules, stepMs: 0 })).toBeUndefined();
      },
    ],
  ];
  test.each(fails)('%s leaves no batch and no bytes', (_, send) => {
    const batches = new OpenBatches();
    send(batches, DEFAULT_TENANT);
    expect([batches.isEmpty, batches.keptCount]).toEqual([true, 0]);
    batches.scan(DEFAULT_TENANT, good, rules);
    const before = bytesOf(batches);
    send(batches, DEFAULT_TENANT);
    send(batches, '7:0' as Tenant);
    expect([rowsOf(batches), bytesOf(batches), batches.keptCount]).toEqual([[5], before, 1]);
  });
});

test('after a bug the rows from before it are committed and the batch is not added to', () => {
  const batches = new OpenBatches();
  batches.scan(DEFAULT_TENANT, good, rules);
  const acceptsDay = (): boolean => {
    throw new BugError('in the middle of a scan');
  };
  expect(() => batches.scan(DEFAULT_TENANT, good, { ...rules, bounds: { ...ALL_TIME, acceptsDay } })).toThrow('BUG');
  expect(batches.isEmpty).toBe(false);
  batches.scan(DEFAULT_TENANT, good, rules);
  expect(rowsOf(batches)).toEqual([5]);
  expect(batches.takeClosed().map(({ tenant, batch }) => [tenant, batch.rowCount])).toEqual([[DEFAULT_TENANT, 5]]);
});

describe('a tenant with more rows than a share of the commit', () => {
  afterEach(() => void vi.useRealTimers());

  const [greedy, modest] = ['1:0', '2:0'] as [Tenant, Tenant];
  const flood = requestOf({ first: 0, count: 5_000 });

  test('has its share while another one sends, also if nothing of that one is stored', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const batches = new OpenBatches();
    batches.scan(greedy, flood, rules);
    expect(batches.hasShare(greedy)).toBe(false);
    batches.scan(modest, tooOld, { ...rules, bounds });
    batches.scan(greedy, good, rules);
    expect([batches.hasShare(greedy), batches.hasShare(modest)]).toEqual([true, false]);
    batches.clear();
    expect(batches.hasShare(greedy)).toBe(false);
    batches.scan(greedy, flood, rules);
    expect(batches.hasShare(greedy)).toBe(true);
  });

  test('has no share any more when the others have sent nothing for a while', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const batches = new OpenBatches();
    batches.scan(modest, good, rules);
    vi.advanceTimersByTime(9_000);
    batches.scan(greedy, flood, rules);
    expect(batches.hasShare(greedy)).toBe(true);
    vi.advanceTimersByTime(2_000);
    batches.scan(greedy, good, rules);
    expect(batches.hasShare(greedy)).toBe(false);
  });
});

test('few batches are kept after a commit, and none when nobody sends', () => {
  const batches = new OpenBatches();
  for (let account = 0; account < 40; account++) batches.scan(`${account}:0` as Tenant, good, rules);
  batches.clear();
  expect([batches.isEmpty, batches.keptCount]).toEqual([true, 8]);
  batches.scan('39:0' as Tenant, good, rules);
  batches.release();
  expect([rowsOf(batches), batches.keptCount]).toEqual([[5], 1]);
});

test('a batch that held a spike is given back', () => {
  const batches = new OpenBatches();
  const spike = requestOf({ first: 0, count: 40_000 });
  for (let i = 0; i < 4; i++) batches.scan(DEFAULT_TENANT, spike, rules);
  expect(batches.isFull).toBe(true);
  batches.clear();
  expect(batches.keptBytes).toBeGreaterThan(16 << 20);
  batches.scan(DEFAULT_TENANT, good, rules);
  batches.clear();
  expect(batches.keptCount).toBe(0);
});
