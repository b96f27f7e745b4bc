// Two traces step by step: what each step takes itself, and where they differ.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareTraces } from '../../src/ui/compare-traces.ts';
import type { JaegerSpan, JaegerTrace } from '../../src/ui/trace-rows.ts';

/** `id<parent name from-to!`, µs; ! for an error. */
function traceOf(...lines: string[]): JaegerTrace {
  const spans = lines.map((line): JaegerSpan => {
    const [, spanID = '', parent = '', operationName = '', from, to, failed] =
      /^(\w+)<?(\w*) (\S+) (\d+)-(\d+)(!?)$/.exec(line)!;
    return {
      spanID,
      operationName,
      processID: 'p1',
      references: parent === '' ? [] : [{ refType: 'CHILD_OF', traceID: '1', spanID: parent }],
      startTime: Number(from),
      duration: Number(to) - Number(from),
      tags: failed === '!' ? [{ key: 'error', value: true }] : [],
    };
  });
  return { traceID: '1', spans, processes: { p1: { serviceName: 'shop' } } };
}

test('a difference shows at the step whose own time it is, the largest first', () => {
  const before = traceOf('1 root 0-100', '2<1 read 10-40', '3<1 read 40-60', '4<1 gone 70-75');
  const after = traceOf('1 root 0-180', '2<1 read 10-140!', '5<2 new 20-30');
  expect(compareTraces(before, after)).toEqual([
    {
      service: 'shop',
      operation: 'read',
      figures: [
        { spans: 2, errors: 0, ownUs: 50 },
        { spans: 1, errors: 1, ownUs: 120 },
      ],
      moreUs: 70,
    },
    { service: 'shop', operation: 'new', figures: [expect.anything(), { spans: 1, errors: 0, ownUs: 10 }], moreUs: 10 },
    { service: 'shop', operation: 'root', figures: [{ spans: 1, errors: 0, ownUs: 45 }, expect.anything()], moreUs: 5 },
    { service: 'shop', operation: 'gone', figures: [expect.anything(), { spans: 0, errors: 0, ownUs: 0 }], moreUs: -5 },
  ]);
});

test('children that overlap, begin before or end after their parent count once, and only within it', () => {
  const [root] = compareTraces(
    traceOf(),
    traceOf('1 root 100-200', '2<1 a 50-120', '3<1 a 110-150', '4<1 a 190-300', '5<1 a 0-10'),
  ).filter(({ operation }) => operation === 'root');
  expect(root?.figures[1].ownUs).toBe(40);
});

test('own times are never below zero, and equal traces do not differ, whatever the spans are', () => {
  const span = fc.record({
    spanID: fc.constantFrom('1', '2', '3'),
    operationName: fc.constantFrom('a', 'b'),
    processID: fc.constantFrom('p1', 'p2'),
    references: fc.array(
      fc.record({
        refType: fc.constant('CHILD_OF'),
        traceID: fc.constant('1'),
        spanID: fc.constantFrom('1', '2', '3'),
      }),
    ),
    startTime: fc.nat(100),
    duration: fc.nat(100),
  });
  const trace = fc.record({
    traceID: fc.constant('1'),
    spans: fc.array(span),
    processes: fc.constant({ p1: { serviceName: '"' } }),
  });
  fc.assert(
    fc.property(trace, (one) => {
      for (const { figures, moreUs } of compareTraces(one, one)) {
        expect(moreUs).toBe(0);
        expect(figures[0].ownUs).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
