import { expect, test } from 'vitest';
import {
  decodePartId,
  encodePartId,
  identityByPath,
  isPartId,
  newIdentity,
  parseIdentity,
} from '../../src/part/identity.ts';

test('an identity is 32 hex digits and never comes twice', () => {
  const all = Array.from({ length: 1_000 }, newIdentity);
  expect(new Set(all).size).toBe(1_000);
  for (const identity of all) expect(parseIdentity(identity)).toBe(identity);
});

test.each(['', '0'.repeat(31), '0'.repeat(33), 'A'.repeat(32), '0000000000000003'])('%j is no identity', (text) => {
  expect(parseIdentity(text)).toBeUndefined();
});

test('a part is named by an identity, in format 1 by a number of 16 digits; both are 16 bytes elsewhere', () => {
  for (const id of ['0000000000000003', '001fffffffffffff', newIdentity()]) {
    expect(isPartId(id)).toBe(true);
    const bytes = encodePartId(id);
    expect([bytes.length, decodePartId(new DataView(bytes.buffer, bytes.byteOffset, 16), 0)]).toEqual([16, id]);
  }
  const others = ['3', 'x'.repeat(16), '0'.repeat(24), `${newIdentity()}.tmp`];
  expect(others.filter(isPartId)).toEqual([]);
});

test('a place tells whose the file in it is', () => {
  const identity = newIdentity();
  const number = '0000000000000003';
  expect(identityByPath(`/data/parts/${identity}/traces`)).toBe(identity);
  expect(identityByPath(`/data/parts/${number}/traces`)).toBe('none');
  expect(identityByPath(`/data/log/${number}-${identity}.log`)).toBe(identity);
  expect(identityByPath(`/data/log/${number}.log`)).toBe('none');
  for (const path of ['/data/copied/traces', 'traces', `/data/parts/${identity}`, `/data/archive/1/${identity}.trace`])
    expect(identityByPath(path)).toBeUndefined();
});
