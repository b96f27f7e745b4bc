import { expect, test } from 'vitest';
import { RouteTable } from '../../../src/api/http/route-table.ts';

const table = new RouteTable('/p');
table.add('GET', '/p/api/traces/:id');
table.add(['GET', 'HEAD'], '/p/api/services/:service/operations');
table.add('POST', '/p/api/traces/:id');
table.add('GET', '/p/files/*');
table.add('GET', '/p/a.b');

test.each([
  ['/p/api/traces/12', ['GET', 'POST']],
  ['/p//api///traces/12', ['GET', 'POST']],
  ['/p/api/traces/', []],
  ['/p/api/traces/1/2', []],
  ['/p/api/services/a%2Fb/operations', ['GET', 'HEAD']],
  ['/p/files/x/y', ['GET']],
  ['/p/a.b', ['GET']],
  ['/p/aXb', []],
  ['/', []],
])('%s has methods %j', (path, methods) => {
  expect(table.methodsOf(path)).toEqual(methods);
});

test('labels are patterns without the prefix, never paths', () => {
  expect(table.shortPattern('/p/api/traces/:id')).toBe('/api/traces/:id');
  expect([table.shortPattern('/p/other'), table.shortPattern(undefined)]).toEqual(['*', '*']);
});

test('only whole paths can be suggested', () => {
  expect(table.plainPaths()).toEqual(['/p/a.b']);
});
