// Logins by each kind of credential, and what is kept of them.
import { beforeEach, describe, expect, test } from 'vitest';
import { Access, type AccessOptions, type Caller } from '../../../src/api/access/access.ts';
import { parseAuthConfig } from '../../../src/api/access/auth-config.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { hashPassword, hashSecret } from '../../../src/base/password-hash.ts';
import { ANYONE, type Principal } from '../../../src/trace/principal.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TokenIssuer } from '../../support/token-issuer.ts';

const TOKEN = 'tlt_secret';
const PASSWORD = 'paß:word';
const hash = hashPassword(PASSWORD);
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

let clock: FakeClock;
let lines: string[];
let failures: string[];
beforeEach(() => {
  clock = new FakeClock();
  lines = [];
  failures = [];
});

function configOf(more: object = {}): ReturnType<typeof parseAuthConfig> {
  const granted = { scopes: ['ingest'], tenants: ['0:0'] };
  return parseAuthConfig(
    JSON.stringify({
      tokens: [{ name: 'collector', sha256: hashSecret(TOKEN).toString('hex'), ...granted, ...more }],
      users: [{ name: 'ann', password: hash, ...granted, ...more }],
      certificates: [{ san: 'DNS:a.example', ...granted, ...more }],
    }),
  );
}

function open(options: Partial<AccessOptions> = {}): Access {
  const access = new Access({
    username: '',
    password: '',
    hasAuthConfig: true,
    hasCertificates: false,
    clock,
    logger: createLogger({ write: (line) => void lines.push(line), clock }),
    countFailure: (reason) => void failures.push(reason),
    ...options,
  });
  if (options.hasAuthConfig !== false) access.configure(configOf());
  return access;
}

const caller = (authorization: string | undefined, more: Partial<Caller> = {}): Caller => ({
  authorization,
  address: '10.0.0.1',
  certificateNames: undefined,
  ...more,
});
const logIn = async (access: Access, ...args: Parameters<typeof caller>): Promise<Principal> =>
  await access.logIn(caller(...args));
const refusal = (access: Access, ...args: Parameters<typeof caller>): Promise<unknown> =>
  logIn(access, ...args).then(
    ({ name }) => name,
    (error: unknown) => (error as { code?: string }).code,
  );

describe('without a way to log in', () => {
  test('everybody is anyone, whatever they show', () => {
    const access = open({ hasAuthConfig: false });
    expect(access.isOpen).toBe(true);
    for (const header of [undefined, 'Bearer x', 'nonsense']) expect(access.logIn(caller(header))).toBe(ANYONE);
  });

  test('a file without entries lets nobody in', async () => {
    const access = open();
    access.configure(parseAuthConfig('{}'));
    for (const header of [undefined, `Bearer ${TOKEN}`, basic('ann', PASSWORD), basic('', '')]) {
      expect(await refusal(access, header)).toBe('UNAUTHENTICATED');
    }
  });
});

describe('a credential', () => {
  test.each([
    [`Bearer ${TOKEN}`, 'token collector'],
    [`bearer  ${TOKEN} `, 'token collector'],
    [basic('ann', PASSWORD), 'user ann'],
  ])('%s lets in', async (header, name) => {
    const access = open();
    expect(await logIn(access, header)).toMatchObject({ name, scopes: new Set(['ingest']), tenants: new Set(['0:0']) });
    // A second time without work: the answer is there at once.
    expect(access.logIn(caller(header))).toMatchObject({ name });
  });

  test.each<[string | undefined, string]>([
    [undefined, 'missing'],
    ['', 'malformed'],
    ['Bearer', 'malformed'],
    [TOKEN, 'malformed'],
    [`Digest ${TOKEN}`, 'malformed'],
    [`Bearer ${TOKEN} x`, 'malformed'],
    [`Bearer ${'x'.repeat(10_000)}`, 'malformed'],
    [`Bearer ${TOKEN}x`, 'unknown'],
    [`Bearer ${TOKEN.toUpperCase()}`, 'unknown'],
    [`Bearer ${hashSecret(TOKEN).toString('hex')}`, 'unknown'],
    [basic('ann', 'x'), 'unknown'],
    [basic('ann', ''), 'unknown'],
    [basic('bob', PASSWORD), 'unknown'],
    [basic('ann', hash), 'unknown'],
    [`Basic ${Buffer.from('ann').toString('base64')}`, 'malformed'],
    ['Bearer a.b.c', 'unknown'],
  ])('%s does not', async (header, reason) => {
    expect(await refusal(open(), header)).toBe('UNAUTHENTICATED');
    expect(failures).toEqual([reason]);
    expect(lines.join('')).not.toContain(TOKEN);
    if (reason !== 'missing') expect(lines).toEqual([expect.stringMatching(/a login failed from=10\.0\.0\.1 reason=/)]);
  });

  test('of the flags may everything', async () => {
    const access = open({ hasAuthConfig: false, username: 'root', password: 'pw' });
    expect(await logIn(access, basic('root', 'pw'))).toMatchObject({ name: 'user root', tenants: undefined });
    for (const wrong of [basic('root', 'PW'), basic('Root', 'pw'), basic('', ''), basic('root', '')]) {
      expect(await refusal(access, wrong)).toBe('UNAUTHENTICATED');
    }
  });

  test('that expires does so also where it was verified before', async () => {
    const access = open();
    const expires = new Date(clock.nowMs() + 1_000).toISOString();
    access.configure(configOf({ expires }));
    for (const header of [`Bearer ${TOKEN}`, basic('ann', PASSWORD)]) await logIn(access, header);
    expect(await refusal(access, undefined, { certificateNames: ['DNS:a.example'] })).toBe('certificate DNS:a.example');
    clock.advance(1_000);
    for (const header of [`Bearer ${TOKEN}`, basic('ann', PASSWORD)]) {
      expect(await refusal(access, header)).toBe('UNAUTHENTICATED');
      expect(await refusal(access, header)).toBe('UNAUTHENTICATED');
    }
    expect(failures).toEqual(['expired', 'expired', 'expired', 'expired']);
    expect(await refusal(access, undefined, { certificateNames: ['DNS:a.example'] })).toBe('UNAUTHENTICATED');
  });

  test('that a new file no longer has is refused at once', async () => {
    const access = open();
    await logIn(access, `Bearer ${TOKEN}`);
    const slow = logIn(access, basic('ann', PASSWORD));
    access.configure(parseAuthConfig('{}'));
    await slow;
    expect(await refusal(access, `Bearer ${TOKEN}`)).toBe('UNAUTHENTICATED');
    expect(await refusal(access, basic('ann', PASSWORD))).toBe('UNAUTHENTICATED');
  });
});

describe('a certificate', () => {
  test('is who one of its names says, unless the request shows another credential', async () => {
    const access = open();
    const names = { certificateNames: ['URI:x', 'DNS:a.example'] };
    expect(await logIn(access, undefined, names)).toMatchObject({ name: 'certificate DNS:a.example' });
    expect(await logIn(access, `Bearer ${TOKEN}`, names)).toMatchObject({ name: 'token collector' });
    expect(await refusal(access, 'Bearer x', names)).toBe('UNAUTHENTICATED');
    expect(await refusal(access, undefined, { certificateNames: ['DNS:b.example'] })).toBe('UNAUTHENTICATED');
    expect(await refusal(access, undefined, { certificateNames: [] })).toBe('UNAUTHENTICATED');
  });

  test('is enough where no file says what it may', async () => {
    const access = open({ hasAuthConfig: false, hasCertificates: true });
    expect(access.isOpen).toBe(false);
    const names = { certificateNames: ['DNS:b.example'] };
    expect(await logIn(access, undefined, names)).toMatchObject({
      name: 'certificate DNS:b.example',
      tenants: undefined,
    });
    expect(await refusal(access, undefined)).toBe('UNAUTHENTICATED');
  });
});

describe('an address that fails too often', () => {
  test('has no further guess, and does not shut out who is known', async () => {
    const access = open({ username: 'root', password: 'pw' });
    await logIn(access, basic('ann', PASSWORD));
    for (let i = 0; i < 10; i++) await refusal(access, `Bearer guess-${i}`);
    expect(await refusal(access, 'Bearer guess-10')).toBe('OVERLOADED');
    // Even the right one is not looked at: otherwise guessing would go on.
    expect(await refusal(access, basic('root', 'pw'))).toBe('OVERLOADED');
    expect(await refusal(access, basic('ann', PASSWORD))).toBe('user ann');
    expect(await refusal(access, `Bearer ${TOKEN}`)).toBe('token collector');
    expect(await refusal(access, basic('root', 'pw'), { address: '10.0.0.2' })).toBe('user root');
    expect(failures.filter((reason) => reason === 'throttled')).toHaveLength(2);
    clock.advance(10_000);
    expect(await refusal(access, 'Bearer guess-11')).toBe('UNAUTHENTICATED');
  });

  test('cannot fill the memory of what is verified, nor take all threads with passwords', async () => {
    const access = open();
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, i) => refusal(access, basic('ann', `x${i}`), { address: `10.0.0.${i}` })),
    );
    const counts = ['OVERLOADED', 'UNAUTHENTICATED'].map((code) => results.filter((one) => one === code).length);
    expect(counts).toEqual([4, 2]);
  });
});

test('a JWT is verified once, until it expires', async () => {
  await using issuer = await TokenIssuer.open();
  clock = new FakeClock(Date.now());
  const access = open();
  const issuers = [{ issuer: issuer.url, audience: 'tracelith', jwks: issuer.jwks, skewSeconds: 0 }];
  access.configure(parseAuthConfig(JSON.stringify({ issuers })));
  const header = `Bearer ${await issuer.sign({ scope: 'query', tenants: ['*'] })}`;
  expect(await logIn(access, header)).toMatchObject({ name: 'subject shop', scopes: new Set(['query']) });
  expect(access.logIn(caller(header))).not.toBeInstanceOf(Promise);
  clock.advance(301_000);
  expect(await refusal(access, header)).toBe('UNAUTHENTICATED');
  const other = `Bearer ${await issuer.sign({ aud: 'other' })}`;
  expect(await refusal(access, other)).toBe('UNAUTHENTICATED');
  expect(lines.at(-1)).toMatch(/reason=unknown detail=".*aud.*"/);
});
