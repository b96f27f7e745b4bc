// JWTs of a real issuer on loopback, with real signatures.
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAuthConfig } from '../../../src/api/access/auth-config.ts';
import { isJwt, JsonWebTokens } from '../../../src/api/access/json-web-tokens.ts';
import { TokenIssuer, type Claims } from '../../support/token-issuer.ts';

let issuer: TokenIssuer;
beforeAll(async () => {
  issuer = await TokenIssuer.open();
});
afterAll(() => issuer[Symbol.asyncDispose]());
afterEach(() => {
  vi.useRealTimers();
  issuer.isDown = false;
});

function tokensOf(more: object = {}): JsonWebTokens {
  const entry = { issuer: issuer.url, audience: 'tracelith', jwks: issuer.jwks, tenants: ['0:0'], ...more };
  return new JsonWebTokens(parseAuthConfig(JSON.stringify({ issuers: [entry] })).issuers, Date.now);
}

const verify = async (claims: Claims, more: object = {}) => await tokensOf(more).verify(await issuer.sign(claims));
const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

describe('claims', () => {
  test('become scopes, tenants and a name', async () => {
    expect(await verify({ scope: 'openid ingest admin', tenants: ['1:2', 3] })).toMatchObject({
      name: 'subject shop',
      scopes: new Set(['ingest', 'admin']),
      tenants: new Set(['1:2', '3:0']),
    });
  });

  test.each<[Claims, object, string[], string[] | undefined]>([
    [{ scope: 'query' }, {}, ['query'], ['0:0']],
    [{ scope: 'query' }, { tenants: undefined }, ['query'], []],
    [{ scope: 'query', tenants: '*' }, {}, ['query'], undefined],
    [{ scope: 'query', tenants: ['x'] }, {}, ['query'], []],
    [{}, {}, [], ['0:0']],
    [{ roles: ['writer', 'ingest'] }, { scopesClaim: 'roles', scopes: { writer: 'ingest' } }, ['ingest'], ['0:0']],
    [{ scope: 'ingest' }, { scopes: { writer: 'ingest' } }, [], ['0:0']],
    [{ scope: 'query', org: 5 }, { tenantsClaim: 'org' }, ['query'], ['5:0']],
  ])('%j with %j', async (claims, more, scopes, tenants) => {
    const principal = await verify(claims, more);
    expect([...principal.scopes]).toEqual(scopes);
    expect(principal.tenants === undefined ? undefined : [...principal.tenants]).toEqual(tenants);
  });

  test('of time count with the skew of the clocks', async () => {
    const expired = { exp: nowSeconds() - 50 };
    expect(await verify(expired)).toMatchObject({ expiresMs: (expired.exp + 60) * 1_000 });
    await expect(verify(expired, { skewSeconds: 10 })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(verify({ nbf: nowSeconds() + 100 })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await verify({ nbf: nowSeconds() + 50 })).toMatchObject({ name: 'subject shop' });
  });
});

describe('a token is refused', () => {
  test.each<[string, Claims]>([
    ['of another audience', { aud: 'other' }],
    ['without an audience', { aud: undefined }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['without an issuer', { iss: undefined }],
    ['that never expires', { exp: undefined }],
  ])('%s', async (_what, claims) => {
    await expect(verify(claims)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('that is not signed, signed with a shared secret, or changed', async () => {
    const claims = { iss: issuer.url, aud: 'tracelith', scope: 'admin' };
    const unsigned = new UnsecuredJWT(claims).setExpirationTime('5m').encode();
    const secret = new TextEncoder().encode('tracelith tracelith tracelith 32');
    const shared = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('5m').sign(secret);
    const [head, , signature] = (await issuer.sign({ scope: 'query' })).split('.');
    const changed = [head, Buffer.from(JSON.stringify({ ...claims, exp: 9e9 })).toString('base64url'), signature].join(
      '.',
    );
    for (const token of [unsigned, shared, changed, 'a.b.c', 'e30.e30.', `${'a'.repeat(5_000)}.b.c`]) {
      expect(isJwt(token)).toBe(true);
      await expect(tokensOf().verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });
});

describe('the keys of an issuer', () => {
  test('are found by its OpenID configuration, and fetched once', async () => {
    const tokens = tokensOf({ jwks: undefined });
    const token = await issuer.sign({ scope: 'query' });
    issuer.asked.length = 0;
    await Promise.all([tokens.verify(token), tokens.verify(token)]);
    await tokens.verify(token);
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('are fetched again when a token names a new one', async () => {
    const tokens = tokensOf();
    const before = await issuer.sign();
    await tokens.verify(before);
    await issuer.rotate();
    const after = await issuer.sign();
    // Not at once: a flood of tokens with made-up keys must not become a flood of fetches.
    await expect(tokens.verify(after)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 6_000 });
    expect(await tokens.verify(after)).toMatchObject({ name: 'subject shop' });
    await expect(tokens.verify(before)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('that cannot be fetched make requests wait, they do not fail for good', async () => {
    issuer.isDown = true;
    for (const more of [{}, { jwks: undefined }, { jwks: 'http://127.0.0.1:1/keys' }]) {
      await expect(verify({}, more)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    }
    const tokens = tokensOf();
    await expect(tokens.verify(await issuer.sign())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    issuer.isDown = false;
    expect(await tokens.verify(await issuer.sign())).toMatchObject({ name: 'subject shop' });
  });
});
