// The file of -auth.config: what it may say, and that a mistake in it is named without showing what stands there.
import { describe, expect, test } from 'vitest';
import { parseAuthConfig, readTenants } from '../../../src/api/access/auth-config.ts';
import { StoreError } from '../../../src/base/errors.ts';

const sha256 = 'a'.repeat(64);
const token = { name: 'collector', sha256, scopes: ['ingest'], tenants: ['0:0', '7'] };
const user = { name: 'ann', password: 'scrypt:15:8:1:c2FsdA:aGFzaA', scopes: ['query', 'admin'], tenants: ['*'] };
const certificate = { san: 'DNS:a.example', scopes: ['ingest'], tenants: ['1:2'] };
const issuer = { issuer: 'https://id.example', audience: 'tracelith' };
const parse = (config: object): ReturnType<typeof parseAuthConfig> => parseAuthConfig(JSON.stringify(config));

function refusalOf(config: object): string {
  try {
    parse(config);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'CONFIG') return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('an entry', () => {
  test('of a token grants its scopes in its tenants until it expires', () => {
    const expires = '2027-01-31T00:00:00Z';
    expect(parse({ tokens: [token, { ...token, sha256: 'b'.repeat(64), expires }] }).tokens).toEqual([
      {
        sha256: Buffer.from(sha256, 'hex'),
        granted: {
          name: 'token collector',
          scopes: new Set(['ingest']),
          tenants: new Set(['0:0', '7:0']),
          expiresMs: Infinity,
        },
      },
      expect.objectContaining({ granted: expect.objectContaining({ expiresMs: Date.parse(expires) }) as object }),
    ]);
  });

  test('of a user, a certificate and an issuer', () => {
    const { users, certificates, issuers } = parse({ users: [user], certificates: [certificate], issuers: [issuer] });
    expect(users[0]).toMatchObject({ user: 'ann', hash: user.password, granted: { tenants: undefined } });
    expect(certificates[0]).toMatchObject({ san: 'DNS:a.example', granted: { name: 'certificate DNS:a.example' } });
    expect(issuers).toEqual([
      {
        ...issuer,
        jwks: undefined,
        skewSeconds: 60,
        scopesClaim: 'scope',
        tenantsClaim: 'tenants',
        scopesOf: undefined,
        tenants: new Set(),
      },
    ]);
  });

  test('none at all lets nobody in', () => {
    expect(parse({})).toEqual({ tokens: [], users: [], certificates: [], issuers: [] });
  });
});

describe('a mistake', () => {
  test.each<[object, string]>([
    [[], 'the file: expected an object'],
    [{ token: [] }, 'token: expected one of the keys tokens, users, certificates, issuers'],
    [{ tokens: {} }, 'tokens: expected a list'],
    [{ tokens: ['x'] }, 'tokens[0]: expected an object'],
    [
      { tokens: [{ ...token, expire: '2027-01-01' }] },
      'tokens[0].expire: expected one of the keys name, sha256, scopes',
    ],
    [{ tokens: [{ ...token, name: undefined }] }, 'tokens[0].name: expected a text, it is missing'],
    [{ tokens: [{ ...token, name: 'a\nb' }] }, 'tokens[0].name: expected a text'],
    [{ tokens: [{ ...token, sha256: 'hunter2' }] }, 'tokens[0].sha256: expected 64 hex digits'],
    [{ tokens: [{ ...token, scopes: [] }] }, 'tokens[0].scopes: expected a list of ingest, query, admin'],
    [{ tokens: [{ ...token, scopes: ['hunter2'] }] }, 'tokens[0].scopes: expected a list of ingest, query, admin'],
    [{ tokens: [{ ...token, tenants: undefined }] }, 'tokens[0].tenants: expected a list of tenants'],
    [{ tokens: [{ ...token, tenants: ['x'] }] }, 'tokens[0].tenants: expected a list of tenants'],
    [{ tokens: [{ ...token, tenants: ['4294967296'] }] }, 'tokens[0].tenants: expected a list of tenants'],
    [{ tokens: [{ ...token, expires: 'soon' }] }, 'tokens[0].expires: expected a time such as'],
    [{ tokens: [token, token] }, 'tokens[1].sha256: the same as in an entry before it'],
    [{ users: [{ ...user, password: 'hunter2' }] }, 'users[0].password: expected the hash of a password'],
    [{ users: [{ ...user, name: 'a:b' }] }, 'users[0].name: expected a name without a colon'],
    [{ users: [user, user] }, 'users[1].name: the same'],
    [{ certificates: [{ ...certificate, san: 'a.example' }] }, 'certificates[0].san: expected a name with its kind'],
    [{ issuers: [{ ...issuer, audience: undefined }] }, 'issuers[0].audience: expected a text, it is missing'],
    [{ issuers: [{ ...issuer, issuer: 'http://id.example' }] }, 'issuers[0].issuer: expected an https URL'],
    [{ issuers: [{ ...issuer, jwks: 'file:///etc/passwd' }] }, 'issuers[0].jwks: expected an https URL'],
    [{ issuers: [{ ...issuer, jwks: 'https://me:hunter2@id.example' }] }, 'issuers[0].jwks: expected an https URL'],
    [{ issuers: [{ ...issuer, skewSeconds: 3_600 }] }, 'issuers[0].skewSeconds: expected a number from 0 to 600'],
    [{ issuers: [{ ...issuer, scopes: { write: 'all' } }] }, 'issuers[0].scopes: expected an object of claim values'],
  ])('%j is refused with its place', (config, message) => {
    expect(refusalOf(config)).toSatisfy((text: string) => text.startsWith(message));
    expect(refusalOf(config)).not.toContain('hunter2');
  });

  test('that is no JSON does not quote it', () => {
    expect(() => parseAuthConfig('{"tokens": hunter2')).toThrow(/^expected JSON$/);
  });
});

test('tenants are numbers as headers have them, or all of them', () => {
  expect(readTenants(['1', 2, '3:4'])).toEqual(new Set(['1:0', '2:0', '3:4']));
  expect(readTenants(['1', '*'])).toBeUndefined();
  for (const wrong of ['', '-1', '1:', '1:2:3', '4294967296', ' 1', '1 ', null])
    expect(readTenants([wrong])).toBe('none');
});
