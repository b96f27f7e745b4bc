// What a search leaves unopened, and by what; the answer stays the same (query-terms.test.ts and the oracle).
import { afterAll, describe, expect, test } from 'vitest';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { BlockSource } from '../../src/query/block-source.ts';
import { Deadline } from '../../src/query/deadline.ts';
import type { BlockFate } from '../../src/trace/search-explanation.ts';
import { GROUP_ROWS_TARGET } from '../../src/block/row-group.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { attribute, idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { parseFilterJson } from '../../src/api/jaeger/parse-filter.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { ANY_NAME } from '../../src/part/outlines.ts';
import { openPart } from '../../src/part/part-reader.ts';
import { randomFilter } from '../support/random-filter.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { knownSpans } from '../support/search-oracle.ts';
import { ANY_TRACE, MadeStore, searchTraceIds } from './made-store.ts';

const lasting = (ns: bigint, number: number, more: Partial<OtlpSpan> = {}): OtlpSpan =>
  span(number, { startTimeUnixNano: NOON_NS, endTimeUnixNano: NOON_NS + ns, ...more });
const many = (from: number, more: Partial<OtlpSpan>): OtlpSpan[] =>
  Array.from({ length: 5 }, (_, i) => lasting(1_000n, from + i, more));
const get = [attribute('http.method', 'GET'), attribute('code', { intValue: 200n })];
const post = [attribute('http.method', 'POST'), attribute('code', { intValue: 500n })];

/** One block: cart GETs, shop POSTs for longer, shop on its own takes one resource more. */
function made(): MadeStore {
  const store = new MadeStore();
  const cart = requestOf(many(1, { name: 'read', attributes: get, kind: 2 }), 'cart');
  const shop = requestOf(
    [...many(11, { name: 'write', attributes: post, kind: 3 }), lasting(50_000_000n, 20, { name: 'write', kind: 3 })],
    'shop',
  );
  store.addPart([{ resourceSpans: [...cart.resourceSpans!, ...shop.resourceSpans!] }]);
  return store;
}

function fateOf(store: MadeStore, query: Partial<TraceQuery>): BlockFate[] {
  using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
  searchTraceIds(source, { ...ANY_TRACE, ...query }, new Deadline(60_000));
  const { fates } = source.work;
  return (Object.keys(fates) as BlockFate[]).filter((fate) => fates[fate] > 0);
}

const tags = (key: string, value: string): Pick<TraceQuery, 'tags'> => ({ tags: [{ key, value }] });

describe('a block is', () => {
  const store = made();
  afterAll(() => store[Symbol.dispose]());
  test.each<[Partial<TraceQuery>, BlockFate]>([
    [{}, 'matched'],
    [{ service: 'cart', operation: 'read', ...tags('http.method', 'GET') }, 'matched'],
    [{ durationMinNs: 60_000_000n }, 'duration'],
    [{ service: 'cart', operation: 'write' }, 'operation'],
    [{ service: 'mart' }, 'operation'],
    // Each is common in the block, they only never meet.
    [{ service: 'cart', durationMinNs: 10_000_000n }, 'duration'],
    [{ service: 'cart', ...tags('http.method', 'POST') }, 'tags'],
    [{ operation: 'read', ...tags('code', '500') }, 'tags'],
    [{ tags: [...tags('http.method', 'GET').tags, ...tags('code', '500').tags] }, 'tags'],
    [{ service: 'cart', ...tags('span.kind', 'client') }, 'tags'],
    [{ service: 'cart', ...tags('service.name', 'shop') }, 'tags'],
    [tags('http.method', 'PUT'), 'tags'],
    [tags('error', 'true'), 'tags'],
    [tags('error', 'false'), 'matched'],
    // Not known before it is opened: both tags on one span, a duration with a tag.
    [{ service: 'shop', durationMinNs: 10_000_000n, ...tags('code', '500') }, 'spanTimes'],
  ])('%o: %s', (query, expected) => {
    expect(fateOf(store, query)).toEqual([expected]);
  });
});

test('a block outside the time range is not read, of a part that is inside', () => {
  using store = new MadeStore();
  const later = lasting(1_000n, 2, {
    startTimeUnixNano: NOON_NS + 10n ** 9n,
    endTimeUnixNano: NOON_NS + 2n * 10n ** 9n,
  });
  store.addPart([requestOf([lasting(1_000n, 1)], 'cart'), requestOf([later], 'cart')]);
  expect(fateOf(store, { startMinNs: NOON_NS + 1n })).toEqual(['time', 'matched']);
});

test('a value of few rows, in two row groups, belongs to its operations', () => {
  using store = new MadeStore();
  // Each address is in three traces, far from one another; the spans of cart have addresses of their own.
  const addresses = GROUP_ROWS_TARGET;
  const rows = Array.from({ length: 3 * addresses }, (_, i) =>
    lasting(1_000n, 1_000 + i, {
      traceId: idOf(1_000 + i, 16),
      attributes: [attribute('peer', `10.0.${i % addresses}`)],
    }),
  );
  const own = Array.from({ length: 3 }, (_, i) =>
    lasting(1_000n, 1 + i, { attributes: [attribute('peer', `cart-${i}`)] }),
  );
  const [cart, shop] = [requestOf(own, 'cart'), requestOf(rows, 'shop')];
  store.addPart([{ resourceSpans: [...cart.resourceSpans!, ...shop.resourceSpans!] }]);
  expect(fateOf(store, { service: 'shop', ...tags('peer', '10.0.7') })).toEqual(['matched']);
  expect(fateOf(store, { service: 'cart', ...tags('peer', '10.0.7') })).toEqual(['tags']);
});

describe('of values in columns', () => {
  const store = new MadeStore();
  afterAll(() => store[Symbol.dispose]());
  // Of one template each: its values differ from row to row.
  const rows = (service: string, first: number, common: string): ReturnType<typeof requestOf> =>
    requestOf(
      Array.from({ length: 60 }, (_, i) =>
        lasting(1_000n, first + i, {
          attributes: [
            attribute('common', `${common}${i % 2}`),
            attribute('id', `id-${i}`),
            attribute('n', { intValue: BigInt(i % 2) + (service === 'cart' ? 0n : 10n) }),
          ],
        }),
      ),
      service,
    );
  const [cart, shop] = [rows('cart', 1, 'c'), rows('shop', 101, 's')];
  store.addPart([{ resourceSpans: [...cart.resourceSpans!, ...shop.resourceSpans!] }]);

  test.each<[Partial<TraceQuery>, BlockFate]>([
    [{ service: 'cart', ...tags('common', 'c1') }, 'matched'],
    [{ service: 'cart', ...tags('common', 's1') }, 'tags'],
    [{ service: 'shop', ...tags('n', '10') }, 'matched'],
    [{ service: 'shop', ...tags('n', '0') }, 'tags'],
    [{ service: 'shop', ...tags('id', 'id-7') }, 'matched'],
    [tags('id', 'id-77'), 'tags'],
  ])('%o: %s', (query, expected) => {
    expect(fateOf(store, query)).toEqual([expected]);
  });
});

test.each([
  ['', 'empty-span-name'],
  ['empty-span-name', ''],
])('of the names %j and %j, which are listed alike, the longer span counts', (name, other) => {
  using store = new MadeStore();
  store.addPart([requestOf([lasting(1_000_000_000n, 1, { name }), lasting(5n, 2, { name: other })])]);
  expect(fateOf(store, { durationMinNs: 1_000_000n })).toEqual(['matched']);
});

test('blocks older than the matches found are left', () => {
  using store = new MadeStore();
  for (const number of [1, 2, 3]) {
    const startTimeUnixNano = NOON_NS - BigInt(number) * 1_000_000_000n;
    store.addPart([requestOf([span(number, { traceId: idOf(number, 16), startTimeUnixNano })])]);
  }
  expect(fateOf(store, { limit: 1 })).toEqual(['limit', 'matched']);
});

test('however little a part lists of its blocks, a search finds the same', () => {
  const random = createRandom(printedSeed('little outlines'));
  // Of 64 KiB a part leaves names out, of 4 KiB most blocks altogether.
  using usual = new MadeStore();
  using nameless = new MadeStore(64 << 10);
  using silent = new MadeStore(4 << 10);
  const stores = [usual, nameless, silent];
  const requests = Array.from({ length: 40 }, () => randomSpans(random, NOON_NS));
  for (const store of stores) store.addPart(requests);
  const spans = requests.flatMap(knownSpans);
  const found = stores.map(() => 0);
  for (let i = 0; i < 300; i++) {
    const query = randomQuery(random, spans);
    const filter = i % 3 === 0 ? parseFilterJson(JSON.stringify(randomFilter(random, spans))) : undefined;
    const [expected, ...others] = stores.map((store) => store.search({ ...query, ...(filter && { filter }) }));
    for (const other of others) expect(other, JSON.stringify(query.tags)).toEqual(expected);
    found[0]! += expected!.length;
  }
  expect(found[0]).toBeGreaterThan(100);
  const listed = (store: MadeStore): number[] =>
    store.view.partitions
      .flatMap(({ parts }) => parts)
      .map(({ path }) => {
        using part = openPart(nodeDisk, path);
        const { operations, operationIds } = part.outlines()!;
        return [operations.filter(({ name }) => name === ANY_NAME).length, operationIds.ids.length];
      })
      .reduce((x, y) => x.map((sum, i) => sum + y[i]!));
  expect([listed(usual)[0], listed(nameless)[0]! > 0]).toEqual([0, true]);
  expect(listed(silent)[1]).toBeLessThan(listed(nameless)[1]!);
});
