// Which blocks of parts a filter leaves unopened: none that it may match (random filters over parts are compared with plain
// loops in test/system/search-oracle.test.ts), and those that outlines and terms speak against.
import { afterAll, describe, expect, test } from 'vitest';
import { parseFilterJson } from '../../src/api/jaeger/parse-filter.ts';
import { BlockSource } from '../../src/query/block-source.ts';
import { Deadline } from '../../src/query/deadline.ts';
import type { BlockFate } from '../../src/trace/search-explanation.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { attribute, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { attr, call, field, inner, list, nested, scalar, type WireJson } from '../support/wire-filter.ts';
import { ANY_TRACE, MadeStore, searchTraceIds } from './made-store.ts';

const values = [
  attribute('i', { intValue: -7n }),
  attribute('d', { doubleValue: 1.5 }),
  attribute('z', { doubleValue: -0 }),
  attribute('w', { doubleValue: 7 }),
  attribute('inf', { doubleValue: Infinity }),
  attribute('b', { boolValue: true }),
  attribute('s', 'x'),
];

/** One block: spans of shop with something at every level, and two of cart that differ. */
function made(): MadeStore {
  const store = new MadeStore();
  const shop = {
    schemaUrl: 'r/1',
    resource: { attributes: [attribute('service.name', 'shop'), attribute('ri', { intValue: 5n })] },
    scopeSpans: [
      {
        scope: { name: 'lib', version: '1', attributes: [attribute('sd', { doubleValue: 0.5 })] },
        // Two alike: what is one span's alone is not kept with its service.
        spans: [1, 2].map((id) =>
          span(id, {
            name: 'GET /',
            kind: 2,
            status: { code: 2, message: 'broken' },
            traceState: 'a=b',
            attributes: values,
            events: [{ name: 'retry', attributes: [attribute('e', 'y')] }],
            links: [{ traceState: 'c=d', attributes: [attribute('l', { intValue: 9n })] }],
          }),
        ),
      },
    ],
  };
  const cart = requestOf(
    [1n, 2n].map((n) =>
      span(Number(n) + 10, {
        name: 'read',
        kind: 3,
        endTimeUnixNano: NOON_NS + n,
        attributes: [attribute('n', { intValue: n })],
      }),
    ),
    'cart',
  );
  store.addPart([{ resourceSpans: [shop, ...cart.resourceSpans!] }]);
  return store;
}

describe('the block is', () => {
  const store = made();
  afterAll(() => store[Symbol.dispose]());
  const fateOf = (filter: WireJson): BlockFate[] => {
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    searchTraceIds(source, { ...ANY_TRACE, filter: parseFilterJson(JSON.stringify(filter)) }, new Deadline(60_000));
    const { fates } = source.work;
    return (Object.keys(fates) as BlockFate[]).filter((fate) => fates[fate] > 0);
  };
  const isCart = inner('eq', field('resource', 'service'), scalar('cart'));

  test.each<[WireJson]>([
    [call('eq', attr('i'), scalar('-7'))],
    [call('eq', attr('i'), scalar('-7.0'))],
    [call('eq', attr('i'), scalar('-007'))],
    [call('eq', attr('i', 'span'), scalar('-7', 'int'))],
    [call('eq', attr('w'), scalar('7'))],
    [call('eq', attr('w'), scalar('7', 'double'))],
    [call('eq', attr('d'), scalar('1.50'))],
    [call('eq', attr('z'), scalar('0'))],
    [call('eq', attr('inf'), scalar('Inf'))],
    [call('eq', attr('b'), scalar('T'))],
    [call('eq', attr('b'), scalar('true', 'bool'))],
    [call('eq', attr('s'), scalar('x', 'string'))],
    [call('eq', attr('n'), scalar('2'))],
    [call('eq', attr('ri'), scalar('5'))],
    [call('eq', attr('ri', 'resource'), scalar('5'))],
    [call('eq', attr('sd', 'scope'), scalar('0.5', 'double'))],
    [call('eq', attr('e', 'event'), scalar('y'))],
    [call('in', attr('l', 'link'), list(['8', '9'], 'int'))],
    [call('eq', field('resource', 'service'), scalar('shop'))],
    [call('eq', field('resource', 'schemaURL'), scalar('r/1'))],
    [call('regex', field('span', 'name'), scalar('^GET'))],
    [call('eq', field('span', 'kind'), scalar('server'))],
    [call('in', field('span', 'status'), list(['ok', 'error']))],
    [call('eq', field('span', 'statusMessage'), scalar('broken'))],
    [call('eq', field('span', 'traceState'), scalar('a=b'))],
    [call('eq', field('link', 'traceState'), scalar('c=d'))],
    [call('eq', field('scope', 'name'), scalar('lib'))],
    [call('eq', attr('scope.version'), scalar('1'))],
    [call('in', field('event', 'name'), list(['x', 'retry']))],
    [call('eq', field('span', 'duration'), scalar('1s'))],
    [call('gt', field('span', 'duration'), scalar('999ms'))],
    [call('some', nested('event'), inner('eq', attr('e', 'event'), scalar('y')))],
    [call('some', nested('event'), inner('not', inner('eq', attr('e', 'event'), scalar('z'))))],
    [call('and', inner('exists', attr('i')), inner('not', isCart))],
    [call('or', inner('eq', attr('nobody'), scalar('x')), inner('eq', attr('s'), scalar('x')))],
    [call('eq', attr('error'), scalar('true'))],
    [call('eq', field('span', 'status'), scalar('unset'))],
  ])('opened for what it has: %j', (filter) => {
    expect(fateOf(filter)).toEqual(['matched']);
  });

  test.each<[WireJson]>([
    [call('eq', attr('i'), scalar('7'))],
    [call('eq', attr('s'), scalar('-7'))],
    [call('eq', attr('ri', 'resource'), scalar('6'))],
    [call('eq', attr('ri', 'span'), scalar('5'))],
    [call('regex', attr('ri', 'resource'), scalar('5'))],
    [call('exists', attr('i', 'resource'))],
    [call('gt', attr('sd', 'scope'), scalar('1'))],
    [call('eq', attr('e', 'event'), scalar('z'))],
    [call('in', attr('l', 'link'), list(['1', '2'], 'int'))],
    [call('eq', field('resource', 'service'), scalar('mart'))],
    [call('regex', field('span', 'name'), scalar('^POST'))],
    [call('eq', field('span', 'kind'), scalar('consumer'))],
    [call('eq', field('event', 'name'), scalar('other'))],
    [call('gte', field('span', 'duration'), scalar('2s'))],
    [call('some', nested('event'), inner('eq', attr('e', 'event'), scalar('z')))],
    [call('not', inner('ne', field('resource', 'service'), scalar('mart')))],
    [call('not', inner('exists', field('span', 'name')))],
    // Each is in the block, and they never meet.
    [call('and', isCart, inner('eq', attr('s'), scalar('x')))],
    [call('and', isCart, inner('eq', attr('ri'), scalar('5')))],
    [call('and', isCart, inner('eq', field('span', 'kind'), scalar('server')))],
    [call('and', isCart, inner('gt', field('span', 'duration'), scalar('1ms')))],
    [call('or', inner('eq', attr('s'), scalar('y')), inner('and', isCart, inner('eq', attr('b'), scalar('true'))))],
  ])('left for what it has not: %j', (filter) => {
    expect(fateOf(filter)).toEqual(['tags']);
  });

  // Nothing is known of these before it is opened.
  test.each<[WireJson]>([
    [call('exists', attr('nobody'))],
    [call('gt', attr('nobody'), scalar('x'))],
    [call('ne', attr('nobody', 'span'), scalar('x'))],
    [call('regex', attr('s'), scalar('y'))],
    [call('eq', attr('nobody'), attr('i'))],
    [call('eq', field('span', 'spanID'), scalar('00'))],
    [call('and', inner('eq', attr('s'), scalar('x')), inner('eq', field('scope', 'name'), scalar('s')))],
    [call('and', isCart, inner('eq', attr('error'), scalar('true')))],
  ])('opened in vain: %j', (filter) => {
    expect(fateOf(filter)).toEqual(['values']);
  });
});
