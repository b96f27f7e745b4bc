// The deadline of a call, on the clock of the process.
import { expect, test } from 'vitest';
import { deadlineAfter, leftMs } from '../../src/trace/call-context.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';

const tenant = DEFAULT_TENANT;

test('without a deadline there is time without end', () => {
  expect(leftMs({ tenant })).toBe(Infinity);
  expect(deadlineAfter(Infinity)).toBeUndefined();
});

test('what is left shrinks to nothing, never below', () => {
  const left = leftMs({ tenant, deadlineNs: deadlineAfter(60_000) });
  expect(left > 0 && left <= 60_000).toBe(true);
  expect(leftMs({ tenant, deadlineNs: deadlineAfter(-5) })).toBe(0);
  expect(leftMs({ tenant, deadlineNs: 0n })).toBe(0);
});
