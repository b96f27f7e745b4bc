// Spans that are copied from another node (`tracelith sync`): it has taken them, so this one takes them, too.
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { DAY_MS, openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf, storedSpans, traceIdOf } from './stored-spans.ts';

test('are taken of every day that is kept, as the twin has them', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path, { backfillMaxMs: DAY_MS });
  // Noon: half of the oldest day is older than the retention.
  const midnights = [NOON_NS - DAY_NS / 2n - 7n * DAY_NS, NOON_NS - DAY_NS / 2n - 2n * DAY_NS];
  const body = requestOf({ first: 0, count: 4, startNs: (n) => midnights[n >> 1]! - BigInt(n & 1) });
  const tooOld = async (how: Parameters<Storage['write']>[3]): Promise<number> => {
    const { rejected } = await storage.write(DEFAULT_TENANT, body.slice(), undefined, how);
    return rejected.get('too_small_timestamp') ?? 0;
  };
  expect(await tooOld({})).toBe(4);
  expect(await tooOld({ isCopied: true })).toBe(1);
  expect(await tooOld({ isCopied: true, retentionMs: 2 * DAY_MS })).toBe(3);
  await storage.runMaintenance();
  expect(new Set(storedSpans(storage, nodeDisk, DEFAULT_TENANT)).size).toBe(3);
  await storage.close();
});

test('are taken as wide and large as any node may take them', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  const attributes = Array.from({ length: 2_000 }, (_, n) => ({ key: `key-${n}`, value: { intValue: BigInt(n) } }));
  const long = [{ key: 'text', value: { stringValue: 'a long text of many words, '.repeat(170_000) } }];
  const spans = [attributes, long].map((some, n) => ({
    traceId: traceIdOf(n),
    spanId: Buffer.alloc(8, n + 1),
    startTimeUnixNano: NOON_NS,
    endTimeUnixNano: NOON_NS,
    attributes: some,
  }));
  const body = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  expect((await storage.write(DEFAULT_TENANT, body.slice())).stored).toBe(0);
  const copied = await storage.write(DEFAULT_TENANT, body.slice(), undefined, { isCopied: true });
  expect(copied).toEqual({ stored: 2, rejected: new Map() });
  await storage.close();
});
