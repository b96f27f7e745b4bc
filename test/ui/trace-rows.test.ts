// Jaeger's spans as rows: every span once, parents above their children, whatever the references say.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { traceRows, type JaegerTrace } from '../../src/ui/trace-rows.ts';

type Made = readonly [id: string, parent: string | undefined, start: number, duration: number];

function traceOf(...made: readonly Made[]): JaegerTrace {
  return traceOfAll(made);
}

function traceOfAll(made: readonly Made[]): JaegerTrace {
  const spans = made.map(([spanID, parent, startTime, duration]) => ({
    spanID,
    operationName: `op ${spanID}`,
    references: parent === undefined ? [] : [{ refType: 'CHILD_OF', traceID: '1', spanID: parent }],
    startTime,
    duration,
    processID: 'p1',
    tags: spanID === 'failed' ? [{ key: 'error', value: true }] : [],
  }));
  return { traceID: '1', spans, processes: { p1: { serviceName: 'shop' } } };
}

const shape = (trace: JaegerTrace, rowsMax = 100) =>
  traceRows(trace, rowsMax).rows.map(({ span, depth }) => `${'-'.repeat(depth)}${span.spanID}`);

test('children stand below their parent by start, with shares of the trace', () => {
  const trace = traceOf(['b', 'a', 150, 50], ['a', undefined, 100, 200], ['c', 'a', 110, 10], ['failed', 'c', 112, 2]);
  expect(shape(trace)).toEqual(['a', '-c', '--failed', '-b']);
  const { rows, durationUs, startUs } = traceRows(trace, 100);
  expect([durationUs, startUs]).toEqual([200, 100]);
  expect(rows.at(-1)).toMatchObject({
    service: 'shop',
    span: { operationName: 'op b' },
    from: 0.25,
    width: 0.25,
    isError: false,
  });
  expect(rows.map(({ isError }) => isError)).toEqual([false, false, true, false]);
});

test('a missing parent, a circle and a span that is its own parent are shown', () => {
  expect(shape(traceOf(['a', 'gone', 1, 1]))).toEqual(['a']);
  expect(shape(traceOf(['a', 'a', 1, 1]))).toEqual(['a']);
  expect(shape(traceOf(['a', 'b', 1, 1], ['b', 'a', 2, 1]))).toEqual(['a', '-b']);
});

test('the same id twice, as client and server share it in old tracers, is two rows', () => {
  expect(shape(traceOf(['a', undefined, 1, 5], ['a', undefined, 2, 3], ['b', 'a', 3, 1]))).toHaveLength(3);
});

test('no more rows than asked for, and a trace without duration has a scale', () => {
  const trace = traceOf(['a', undefined, 7, 0], ['b', 'a', 7, 0], ['c', 'b', 7, 0]);
  expect(shape(trace, 2)).toEqual(['a', '-b']);
  expect(traceRows(trace, 2).rows[0]).toMatchObject({ from: 0, width: 0 });
});

test('a trace of 200,000 spans below one is laid out', () => {
  const many = Array.from({ length: 200_000 }, (_, i): Made => [`c${i}`, 'a', i, 1]);
  expect(shape(traceOfAll([['a', undefined, 0, 1], ...many]), Infinity).slice(0, 3)).toEqual(['a', '-c0', '-c1']);
});

test('every span of any graph is one row, within the trace', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const span = fc.tuple(id, fc.option(id, { nil: undefined }), fc.nat(1_000), fc.nat(1_000));
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 8 }), (made) => {
      const { rows } = traceRows(traceOf(...made), 100);
      expect(rows.map(({ span }) => span.spanID).toSorted()).toEqual(made.map(([spanId]) => spanId).toSorted());
      for (const { from, width } of rows) expect(from + width).toBeLessThanOrEqual(1 + 1e-9);
    }),
  );
});
