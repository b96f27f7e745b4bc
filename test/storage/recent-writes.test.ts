// Keyed writes: once each while the key is remembered, again after a failure, bounded.
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { RecentWrites } from '../../src/storage/recent-writes.ts';
import type { WriteResult } from '../../src/trace/store.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from './open-store.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { requestOf, span } from '../block/scanned.ts';

const stored = (count: number): WriteResult => ({ stored: count, rejected: new Map() });

test('a write under way and an answered one are not repeated; another tenant, or another key, is another write', async () => {
  const recent = new RecentWrites();
  const answer = Promise.withResolvers<WriteResult>();
  const first = recent.once(DEFAULT_TENANT, 'a', () => answer.promise);
  const second = recent.once(DEFAULT_TENANT, 'a', () => Promise.resolve(stored(2)));
  answer.resolve(stored(1));
  expect([await first, await second]).toEqual([stored(1), stored(1)]);
  expect(await recent.once(DEFAULT_TENANT, 'a', () => Promise.resolve(stored(3)))).toEqual(stored(1));
  expect(recent.repeated).toBe(2);
  expect(await recent.once(parseTenant('1', '1'), 'a', () => Promise.resolve(stored(4)))).toEqual(stored(4));
  expect(await recent.once(DEFAULT_TENANT, 'b', () => Promise.resolve(stored(5)))).toEqual(stored(5));
});

test('a failed write may be tried again under its key', async () => {
  const recent = new RecentWrites();
  const failure = new StoreError('DISK', 'full');
  await expect(recent.once(DEFAULT_TENANT, 'a', () => Promise.reject(failure))).rejects.toBe(failure);
  expect(await recent.once(DEFAULT_TENANT, 'a', () => Promise.resolve(stored(1)))).toEqual(stored(1));
});

test('the oldest keys are forgotten', async () => {
  const recent = new RecentWrites(2);
  for (const key of ['a', 'b', 'c']) await recent.once(DEFAULT_TENANT, key, () => Promise.resolve(stored(1)));
  expect(await recent.once(DEFAULT_TENANT, 'c', () => Promise.resolve(stored(2)))).toEqual(stored(1));
  expect(await recent.once(DEFAULT_TENANT, 'a', () => Promise.resolve(stored(2)))).toEqual(stored(2));
});

test('a store keeps a keyed request once', async () => {
  using folder = new TemporaryFolder();
  const store = openStore(folder.path);
  const body = encodeRequest(requestOf([span(1), span(2)]));
  const results = [];
  for (let i = 0; i < 3; i++) results.push(await store.write(DEFAULT_TENANT, body.slice(), 'one'));
  expect(results).toEqual([stored(2), stored(2), stored(2)]);
  expect(await store.stats()).toMatchObject({ rowsStored: 2, writesRepeated: 2 });
  await store.close();
});
