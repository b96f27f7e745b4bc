import { expect, test } from 'vitest';
import { DEFAULT_TENANT, parseTenant, tenantsOfHeaders } from '../../src/trace/tenant.ts';

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

test.each([
  [{}, '0:0'],
  [{ accountid: '3', projectid: '4' }, '3:4'],
  [{ 'x-tenant': '3' }, '3:0'],
  [{ 'x-tenant': '3:4' }, '3:4'],
  [{ 'x-tenant': '3:0', accountid: '3' }, '3:0'],
])('headers %j are tenant %s', (headers, tenant) => {
  expect(tenantsOfHeaders(headers)).toEqual([tenant]);
});

test.each([
  [{ accountid: '1|2' }, ['1:0', '2:0']],
  [{ accountid: '1|2|1', projectid: '3' }, ['1:3', '2:3']],
  [{ 'x-tenant': '1|2:5|1:0' }, ['1:0', '2:5']],
  [{ 'x-tenant': '1:3|2:3', accountid: '1|2', projectid: '3' }, ['1:3', '2:3']],
])('headers %j are the tenants %j', (headers, tenants) => {
  expect(tenantsOfHeaders(headers)).toEqual(tenants);
});

test.each([
  [{ 'x-tenant': 'acme' }, 'x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal, got "acme"'],
  [{ 'x-tenant': '' }, 'x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal, got ""'],
  [{ 'x-tenant': ['3', '4'] }, 'x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal, got "3,4"'],
  [{ 'x-tenant': '3', projectid: '1' }, 'x-tenant "3" and AccountID:ProjectID 0:1 differ: send one of them'],
  [{ accountid: ['3', '3'] }, 'header AccountID: expected a decimal number from 0 to 4294967295, got "3,3"'],
  [{ 'x-tenant': '1|' }, 'header x-tenant: a tenant is missing beside a |'],
  [{ accountid: '|' }, 'header AccountID: a tenant is missing beside a |'],
  [{ accountid: '1|x' }, 'header AccountID: expected a decimal number from 0 to 4294967295, got "x"'],
  [{ projectid: '1|2' }, 'header ProjectID: expected a decimal number from 0 to 4294967295, got "1|2"'],
  [{ 'x-tenant': '1|2:x' }, 'x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal, got "1|2:x"'],
  [{ 'x-tenant': '1|2', accountid: '1' }, 'x-tenant "1|2" and AccountID:ProjectID 1:0 differ: send one of them'],
  [{ accountid: '1|'.repeat(20) + '1' }, 'header AccountID: 21 tenants; 20 tenants can be asked at once'],
])('headers %j are refused, never the default tenant', (headers, message) => {
  expect(() => tenantsOfHeaders(headers)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', message }));
});
