import { expect, test } from 'vitest';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';

test.each([
  [undefined, undefined, '0:0'],
  ['', '', '0:0'],
  ['7', undefined, '7:0'],
  [undefined, '7', '0:7'],
  ['4294967295', '4294967295', '4294967295:4294967295'],
  ['007', '0', '7:0'],
])('AccountID %j and ProjectID %j are tenant %s', (account, project, tenant) => {
  expect(parseTenant(account, project)).toBe(tenant);
});

test('who sends no header is the default tenant', () => {
  expect(parseTenant(undefined, undefined)).toBe(DEFAULT_TENANT);
});

test.each(['-1', '4294967296', '99999999999', '1.5', '0x1', ' 1', '1 ', 'a', '1:2', 'NaN', '１'])(
  '%j is refused by the name of its header',
  (text) => {
    const invalid = (header: string): unknown =>
      expect.objectContaining({ code: 'INVALID_REQUEST', message: expect.stringContaining(`header ${header}`) });
    expect(() => parseTenant(text, '0')).toThrow(invalid('AccountID'));
    expect(() => parseTenant('0', text)).toThrow(invalid('ProjectID'));
  },
);

test('the message quotes no more than the beginning of a long value', () => {
  expect(() => parseTenant('x'.repeat(10_000), undefined)).toThrow(/^.{0,200}$/);
});
