import { expect, test } from 'vitest';
import { runQuery, type QueryTask } from '../../src/query/run-query.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { idOf, requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE, MadeStore } from './made-store.ts';

const TASKS: readonly QueryTask[] = [
  { kind: 'find', traceIds: [idOf(1, 16)] },
  { kind: 'exists', traceIds: [idOf(1, 16), idOf(2, 16)] },
  { kind: 'search', query: ANY_TRACE },
  { kind: 'newest', query: ANY_TRACE },
  { kind: 'dependencies', startNs: 0n, endNs: 2n ** 63n },
  { kind: 'services' },
];

test.each(TASKS.map((task) => [task.kind, task] as const))(
  '%s is answered, over its time refused, and stopped',
  (_, task) => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1)])]);
    const job = { task, tenant: DEFAULT_TENANT, view: store.view, cancelled: new Int32Array(1) };
    expect(runQuery(store.cache, { ...job, durationMaxMs: 60_000 }).warnings).toEqual([]);
    expect(() => runQuery(store.cache, { ...job, durationMaxMs: -1 })).toThrow(
      expect.objectContaining({ code: 'TIMEOUT' }),
    );
    const gone = { ...job, durationMaxMs: 60_000, cancelled: Int32Array.of(1) };
    expect(() => runQuery(store.cache, gone)).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
  },
);

test('an answer says what it is', () => {
  using store = new MadeStore();
  store.addPart([requestOf([span(1)])]);
  expect(TASKS.map((task) => store.run(task))).toMatchObject([
    { kind: 'traces', traces: [{ traceId: idOf(1, 16) }] },
    { kind: 'ids', traceIds: [idOf(1, 16)] },
    { kind: 'hits', hits: [{ traceId: idOf(1, 16) }] },
    { kind: 'traces', traces: [{ traceId: idOf(1, 16) }], isWhole: true },
    { kind: 'dependencies', dependencies: [] },
    { kind: 'services', services: [{ days: [{ spans: 1 }] }] },
  ]);
});
