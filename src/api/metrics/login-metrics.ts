// Logins that failed, by reason (access/).
import type { MetricRegistry } from './metric-registry.ts';

/** missing: no credential came. throttled: not looked at, because its address has failed too often. */
export const LOGIN_FAILURES = ['missing', 'malformed', 'unknown', 'expired', 'throttled'] as const;
export type LoginFailure = (typeof LOGIN_FAILURES)[number];

export interface LoginCounters {
  countLoginFailure(reason: LoginFailure): void;
}

export function createLoginMetrics(registry: MetricRegistry): LoginCounters {
  const failures = registry.counter({
    name: 'tracelith_login_failures_total',
    unit: 'requests',
    help: 'Requests that could not be logged in, by reason',
    labels: ['reason'],
  });
  for (const reason of LOGIN_FAILURES) failures.inc({ reason }, 0);
  return { countLoginFailure: (reason) => failures.inc({ reason }) };
}
