import { expect, test } from 'vitest';
import { AnswerBudget } from '../../../src/api/edge/answer-budget.ts';

const traces = (...sizes: number[]) =>
  sizes.map((size) => ({ traceId: new Uint8Array(16), otlp: new Uint8Array(size) }));

test('answers are counted until their request is over', () => {
  const budget = new AnswerBudget(100);
  const first = new AbortController();
  const second = new AbortController();
  budget.hold(traces(30, 30), first.signal);
  expect(() => budget.hold(traces(41), second.signal)).toThrow(
    expect.objectContaining({ code: 'OVERLOADED', message: expect.stringContaining('60 bytes') }),
  );
  expect(budget.bytes).toBe(60);
  budget.hold(traces(40), second.signal);
  first.abort();
  expect(budget.bytes).toBe(40);
  second.abort();
  expect(budget.bytes).toBe(0);
});

test('an answer alone is never refused, and one whose client has left holds nothing', () => {
  const budget = new AnswerBudget(10);
  budget.hold(traces(50), AbortSignal.abort());
  expect(budget.bytes).toBe(0);
  budget.hold(traces(50), new AbortController().signal);
  expect(budget.bytes).toBe(50);
});
