// Lines about rejected spans: at once, then summed, each tenant for itself.
import { expect, test } from 'vitest';
import { RejectionLog } from '../../../src/api/edge/rejection-log.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { parseTenant } from '../../../src/trace/tenant.ts';
import type { RejectReason } from '../../../src/trace/store.ts';

test('a line a tenant and minute, with the sums by reason', () => {
  const lines: string[] = [];
  let nowMs = 0;
  const log = new RejectionLog(createLogger({ write: (line) => lines.push(line) }), () => nowMs);
  const reject = (account: number, ...reasons: RejectReason[]): void =>
    log.add(parseTenant(String(account), undefined), new Map(reasons.map((reason) => [reason, 2])));
  reject(1);
  expect(lines).toEqual([]);
  reject(1, 'too_large');
  for (let i = 0; i < 10; i++) reject(1, 'too_large', 'too_deep');
  reject(2, 'too_deep');
  nowMs = 60_000;
  reject(1, 'too_deep');
  expect(lines.map((line) => line.slice(25))).toEqual([
    'WARN  spans were rejected tenant=1:0 too_large=2\n',
    'WARN  spans were rejected tenant=2:0 too_deep=2\n',
    'WARN  spans were rejected tenant=1:0 too_large=20 too_deep=22\n',
  ]);
});

test('invented tenants beyond a bound share one line', () => {
  const lines: string[] = [];
  const log = new RejectionLog(createLogger({ write: (line) => lines.push(line) }), () => 0);
  for (let i = 0; i < 1_005; i++) log.add(parseTenant(String(i), undefined), new Map([['too_large', 1]]));
  expect(lines.at(-1)).toContain('tenant=4:0');
});
