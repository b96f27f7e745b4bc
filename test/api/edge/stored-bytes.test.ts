// Stored bytes by tenant on a real store: who may store no more, from when on, and again.
import { expect, test } from 'vitest';
import { watchStoredBytes } from '../../../src/api/edge/stored-bytes.ts';
import { parseTenantsConfig, TenantLimits } from '../../../src/api/edge/tenant-limits.ts';
import { parseTenant } from '../../../src/trace/tenant.ts';
import { memoryLog, openStore, TemporaryFolder } from '../../storage/open-store.ts';
import { requestOf } from '../../storage/stored-spans.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A count may be under way when the limits change; the next one is 5 s later. */
const PATIENT = { timeout: 20_000 };
const [A, B] = [parseTenant('1', '0'), parseTenant('2', '0')];

test('a tenant is refused while the store holds as much of it as it may, and the log says so once', async () => {
  using folder = new TemporaryFolder();
  const admin = openStore(folder.path);
  await admin.write(A, requestOf({ first: 0, count: 200 }));
  await admin.write(B, requestOf({ first: 0, count: 2 }));
  const stored = admin.tenantBytes();
  const lines: string[] = [];
  const limits = new TenantLimits(new FakeClock());
  using _watch = watchStoredBytes({ admin, limits, logger: memoryLog(lines) });
  const isRefused = (): boolean => {
    limits.assertRoom(B);
    try {
      limits.assertRoom(A);
      return false;
    } catch {
      return true;
    }
  };
  expect(isRefused()).toBe(false);
  const limit = (storedBytes: number): void =>
    limits.configure(parseTenantsConfig(JSON.stringify({ defaults: { storedBytes } })));
  limit(stored.get(A)!);
  await expect.poll(isRefused, PATIENT).toBe(true);
  await expect.poll(() => lines.join(''), PATIENT).toContain(`storedBytes=${stored.get(A)}`);
  limit(stored.get(A)! + 1);
  expect(isRefused()).toBe(false);
  await expect.poll(() => lines.join(''), PATIENT).toContain('a tenant may store spans again');
  expect(lines.filter((line) => line.includes('its spans are refused'))).toHaveLength(1);
  await admin.close();
}, 60_000);
