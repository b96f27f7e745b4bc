// Hashes of passwords and of tokens.
import { expect, test } from 'vitest';
import { hashPassword, hashSecret, isPassword, isSameSecret } from '../../src/base/password-hash.ts';

test('a hash is of its password alone, however the letters were composed', async () => {
  const hash = hashPassword('pa\u00df e\u0301');
  expect(hash).toMatch(/^scrypt:15:8:1:[\w-]{22}:[\w-]{43}$/);
  expect(hashPassword('pa\u00df e\u0301')).not.toBe(hash);
  expect(await isPassword('pa\u00df \u00e9', hash)).toBe(true);
  for (const wrong of ['', 'pa\u00df e', 'PA\u00df \u00e9', hash]) expect(await isPassword(wrong, hash)).toBe(false);
});

test('one of another program works by its own numbers', async () => {
  // RFC 7914, section 12: the first 32 of 64 bytes.
  const salt = Buffer.from('SodiumChloride').toString('base64url');
  const key = '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2';
  const hash = `scrypt:14:8:1:${salt}:${Buffer.from(key, 'hex').toString('base64url')}`;
  expect([await isPassword('pleaseletmein', hash), await isPassword('letmein', hash)]).toEqual([true, false]);
});

test('what is no hash is of no password, and what asks for too much memory is not computed', async () => {
  const [, , , , salt, key] = hashPassword('x').split(':');
  for (const hash of ['', 'x', 'scrypt:15:8:1', `scrypt:40:8:1:${salt}:${key}`, `scrypt:15:99:1:${salt}:${key}`]) {
    expect(await isPassword('x', hash)).toBe(false);
  }
  expect(await isPassword('x', `scrypt:15:8:1:${salt}:${key!.slice(0, 10)}`)).toBe(false);
});

test('secrets are compared whole', () => {
  expect(hashSecret('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect([isSameSecret('a', 'a'), isSameSecret('a', 'b'), isSameSecret('', 'a'), isSameSecret('aa', 'a')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
