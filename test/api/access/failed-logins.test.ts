// How often an address may fail.
import { expect, test } from 'vitest';
import { FailedLogins } from '../../../src/api/access/failed-logins.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('ten times at once, and then once in ten seconds', () => {
  const clock = new FakeClock();
  const failed = new FailedLogins(clock);
  for (let i = 0; i < 10; i++) {
    expect(failed.waitMs('10.0.0.1')).toBe(0);
    failed.add('10.0.0.1');
  }
  expect(failed.waitMs('10.0.0.1')).toBe(10_000);
  expect(failed.waitMs('10.0.0.2')).toBe(0);
  clock.advance(9_999);
  expect(failed.waitMs('10.0.0.1')).toBe(1);
  clock.advance(1);
  expect(failed.waitMs('10.0.0.1')).toBe(0);
  failed.add('10.0.0.1');
  expect(failed.waitMs('10.0.0.1')).toBe(10_000);
  // More failures do not lock it out for longer.
  for (let i = 0; i < 100; i++) failed.add('10.0.0.1');
  expect(failed.waitMs('10.0.0.1')).toBe(10_000);
  clock.advance(100_000);
  expect(failed.waitMs('10.0.0.1')).toBe(0);
});

test('an IPv6 network of /64 is one address, an IPv4 address in IPv6 is its own', () => {
  const failed = new FailedLogins(new FakeClock());
  for (let i = 0; i < 10; i++) failed.add(`2001:db8:0:1::${i}`);
  for (const same of ['2001:db8:0:1:ffff:1:2:3', '2001:db8:0:1::']) expect(failed.waitMs(same)).toBe(10_000);
  for (const other of ['2001:db8:0:2::1', '2001:db8::1', '::1', 'unknown']) expect(failed.waitMs(other)).toBe(0);
  for (let i = 0; i < 10; i++) failed.add('::ffff:10.0.0.1');
  expect([failed.waitMs('::ffff:10.0.0.1'), failed.waitMs('::ffff:10.0.0.2')]).toEqual([10_000, 0]);
});

test('a guesser with many addresses does not fill the memory', () => {
  const failed = new FailedLogins(new FakeClock());
  for (let i = 0; i < 10; i++) failed.add('10.0.0.1');
  for (let i = 0; i < 20_000; i++) failed.add(`172.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  expect(failed.addresses).toBe(10_000);
});
