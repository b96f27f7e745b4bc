import { describe, expect, test } from 'vitest';
import { callPathsToJson } from '../../../src/api/jaeger/call-paths.ts';
import { encodeTraces, type OtlpRequest, type OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, RICH_TRACE_ID, span, spanId, traceOf } from '../../support/rich-trace.ts';

const SERVER = 2;
const CLIENT = 3;

interface Call {
  readonly id: number;
  readonly parent?: number;
  readonly service: string;
  readonly kind?: number;
}

function traceOfCalls(calls: readonly Call[], traceId: Uint8Array = RICH_TRACE_ID): OtlpRequest {
  return {
    resourceSpans: calls.flatMap(({ id, parent, service, kind = SERVER }) => {
      const parentOf: OtlpSpan = parent === undefined ? {} : { parentSpanId: spanId(parent) };
      return traceOf([span(id, { traceId, kind, ...parentOf })], [attribute('service.name', service)]).resourceSpans!;
    }),
  };
}

interface Shown {
  readonly dependencies: {
    readonly path: { readonly service: string; readonly operation: string }[];
    readonly attributes: { readonly key: string; readonly value: string }[];
  }[];
}

function pathsOf(traces: readonly OtlpRequest[], service: string, operation = ''): [string, ...string[]][] {
  const found = traces.map((data) => ({ traceId: RICH_TRACE_ID, otlp: encodeTraces(data) }));
  const { dependencies } = JSON.parse(
    Buffer.concat([...callPathsToJson(found, { service, operation })]).toString(),
  ) as Shown;
  return dependencies.map(({ path, attributes }) => [
    path.map((entry) => `${entry.service}:${entry.operation}`).join(' > '),
    ...attributes.map(({ value }) => value.slice(0, 2)),
  ]);
}

describe('paths', () => {
  test('one for every span without children, from the root; only those through the focal point', () => {
    const trace = traceOfCalls([
      { id: 1, service: 'web' },
      { id: 2, parent: 1, service: 'shop' },
      { id: 3, parent: 2, service: 'db' },
      { id: 4, parent: 1, service: 'ads' },
    ]);
    expect(pathsOf([trace], 'shop')).toEqual([['web:op-1 > shop:op-2 > db:op-3', 'a1']]);
    expect(
      pathsOf([trace], 'web')
        .map(([path]) => path)
        .toSorted(),
    ).toEqual(['web:op-1 > ads:op-4', 'web:op-1 > shop:op-2 > db:op-3']);
    expect(pathsOf([trace], 'shop', 'op-2')).toHaveLength(1);
    expect(pathsOf([trace], 'shop', 'op-1')).toEqual([]);
    expect(pathsOf([trace], 'unknown')).toEqual([]);
  });

  test('a span of its caller’s service is an entry only when it is a server span', () => {
    const inner: readonly Call[] = [
      { id: 1, service: 'web' },
      { id: 2, parent: 1, service: 'web', kind: CLIENT },
      { id: 3, parent: 2, service: 'web' },
    ];
    expect(pathsOf([traceOfCalls(inner)], 'web')).toEqual([['web:op-1 > web:op-3', 'a1']]);
  });

  test('equal paths are one with a few of their traces', () => {
    const traces = Array.from({ length: 30 }, (_, i) =>
      traceOfCalls(
        [
          { id: 1, service: 'web' },
          { id: 2, parent: 1, service: 'db' },
        ],
        Buffer.alloc(16, i + 1),
      ),
    );
    const [path, ...rest] = pathsOf(traces, 'db');
    expect(rest).toEqual([]);
    expect(path).toHaveLength(21);
    expect(path!.slice(0, 3)).toEqual(['web:op-1 > db:op-2', '01', '02']);
  });

  test('a span without its parent begins a path; a circle of parents and a doubled id end', () => {
    const trace = traceOfCalls([
      { id: 2, parent: 99, service: 'shop' },
      { id: 3, parent: 2, service: 'db' },
      { id: 3, parent: 2, service: 'db', kind: 1 },
      { id: 7, parent: 8, service: 'x' },
      { id: 8, parent: 7, service: 'y' },
    ]);
    expect(pathsOf([trace], 'shop')).toEqual([['shop:op-2 > db:op-3', 'a1']]);
    expect(pathsOf([trace], 'x')).toEqual([]);
  });

  test('a chain of 30,000 calls is walked without a stack overflow', () => {
    const calls = Array.from({ length: 30_000 }, (_, i) => ({ id: i + 1, parent: i, service: `s${i % 2}` }));
    const [path] = pathsOf([traceOfCalls(calls)], 's1');
    expect(path![0].split(' > ')).toHaveLength(30_000);
  });

  test('a graph beyond 50,000 entries is cut between paths', () => {
    const calls = Array.from({ length: 30_000 }, (_, i) => ({ id: i + 2, parent: 1, service: `s${i}` }));
    const found = pathsOf([traceOfCalls([{ id: 1, service: 'root' }, ...calls])], 'root');
    expect(found).toHaveLength(25_000);
  });
});
