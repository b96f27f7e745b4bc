// The question of a query names service, operation and conditions, and tells no values of tags.
import { expect, test } from 'vitest';
import { queryShape } from '../../src/query/query-shape.ts';
import type { QueryTask } from '../../src/query/run-query.ts';
import { ANY_TRACE } from './made-store.ts';

const NS = 1_000_000_000n;

test.each<[QueryTask, Record<string, unknown>]>([
  [
    { kind: 'find', traceIds: [new Uint8Array(16).fill(0xaa)] },
    { query: 'find', traces: 1 },
  ],
  [
    {
      kind: 'search',
      query: {
        ...ANY_TRACE,
        service: 'shop',
        operation: 'buy',
        tags: [{ key: 'user.id', value: 'secret' }],
        startMinNs: 5n * NS,
        startMaxNs: 65n * NS,
        durationMinNs: 77n,
      },
    },
    {
      query: 'search',
      service: 'shop',
      operation: 'buy',
      conditions: ['durationMin'],
      tags: ['user.id'],
      rangeSeconds: 60,
      limit: 100,
    },
  ],
  [
    { kind: 'dependencies', startNs: 0n, endNs: 3n * NS },
    { query: 'dependencies', rangeSeconds: 3 },
  ],
])('of a task, number %#', (task, expected) => {
  const shape = queryShape(task);
  expect(shape).toEqual(expected);
  expect(JSON.stringify(shape)).not.toMatch(/secret|77|aa/);
});
