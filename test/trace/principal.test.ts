// What a principal may, and whose data a request is about.
import { describe, expect, test } from 'vitest';
import { almighty, ANYONE, requireScope, tenantFor, tenantsFor, type Principal } from '../../src/trace/principal.ts';
import type { Tenant, TenantHeaders } from '../../src/trace/tenant.ts';

const of = (...tenants: string[]): Principal => ({
  name: 'token x',
  scopes: new Set(['query']),
  tenants: new Set(tenants as Tenant[]),
  expiresMs: Infinity,
});

describe('the tenant of a request', () => {
  test.each<[Principal, TenantHeaders, string]>([
    [ANYONE, {}, '0:0'],
    [ANYONE, { accountid: '7' }, '7:0'],
    [almighty('x'), { 'x-tenant': '7:1' }, '7:1'],
    [of('0:0', '7:0'), {}, '0:0'],
    [of('0:0', '7:0'), { accountid: '7' }, '7:0'],
    [of('7:0'), {}, '7:0'],
    [of('7:0'), { accountid: '7', projectid: '0' }, '7:0'],
  ])('%j with %j is %s', (principal, headers, tenant) => {
    expect(tenantFor(principal, headers)).toBe(tenant);
  });

  test.each<[Principal, TenantHeaders, string]>([
    [of('7:0'), { accountid: '0' }, 'token x has no access to tenant 0:0; it may name 7:0'],
    [of('7:0'), { projectid: '1' }, 'token x has no access to tenant 0:1; it may name 7:0'],
    [
      of('7:0', '8:0'),
      {},
      'token x has no access to tenant 0:0, which is meant without a header; it may name 7:0, 8:0',
    ],
    [of(), {}, 'token x has no access to tenant 0:0, which is meant without a header; it may name none'],
  ])('%j may not with %j', (principal, headers, message) => {
    expect(() => tenantFor(principal, headers)).toThrow(expect.objectContaining({ code: 'FORBIDDEN', message }));
  });

  test('can be several, if all are the principal’s, where a question is asked', () => {
    const both = { accountid: '7|8' };
    expect(tenantsFor(of('7:0', '8:0', '9:0'), both)).toEqual(['7:0', '8:0']);
    expect(tenantsFor(ANYONE, both)).toEqual(['7:0', '8:0']);
    const message = 'token x has no access to tenant 8:0; it may name 7:0';
    expect(() => tenantsFor(of('7:0'), both)).toThrow(expect.objectContaining({ code: 'FORBIDDEN', message }));
    const one = '7:0|8:0: several tenants can be asked, but this is about one; name one';
    expect(() => tenantFor(ANYONE, both)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', message: one }));
  });

  test('that is unclear is refused, whoever asks', () => {
    expect(() => tenantFor(of('7:0'), { accountid: 'x' })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
  });
});

test('a scope is needed by its own name: none contains another', () => {
  requireScope(of(), 'query');
  const message = 'this needs the scope admin; token x has query';
  expect(() => requireScope(of(), 'admin')).toThrow(expect.objectContaining({ code: 'FORBIDDEN', message }));
  expect(() => requireScope({ ...of(), scopes: new Set() }, 'query')).toThrow('token x has no scope');
  for (const scope of ['ingest', 'query', 'admin'] as const) requireScope(ANYONE, scope);
});
