// The file of -auth.config: who may log in, how, and what they may (docs/operations/access.md). JSON, parsed whole before any of
// it counts; an unknown key is an error, because a misspelt `expires` would be a token for ever.
import { StoreError } from '../../base/errors.ts';
import { parseTenant, type Tenant } from '../../trace/tenant.ts';
import { SCOPES, type Principal, type Scope } from '../../trace/principal.ts';

/** What an entry grants, with its own name. */
export type Granted = Principal;

export interface TokenEntry {
  /** SHA-256 of the token, 32 bytes. */
  readonly sha256: Buffer;
  readonly granted: Granted;
}

export interface UserEntry {
  readonly user: string;
  /** As password-hash.ts makes it. */
  readonly hash: string;
  readonly granted: Granted;
}

export interface CertificateEntry {
  /** A subject alternative name with its kind, as `DNS:collector.example` or `URI:spiffe://example/collector`. */
  readonly san: string;
  readonly granted: Granted;
}

export interface IssuerEntry {
  /** The `iss` of its tokens, exactly. */
  readonly issuer: string;
  readonly audience: string;
  /** Where its keys are; undefined: where its OpenID configuration says. */
  readonly jwks: string | undefined;
  readonly skewSeconds: number;
  readonly scopesClaim: string;
  readonly tenantsClaim: string;
  /** Values of the claim and the scope that each stands for; undefined: the scopes by their own names. */
  readonly scopesOf: ReadonlyMap<string, Scope> | undefined;
  /** What a token without the claim may; empty: nothing. */
  readonly tenants: ReadonlySet<Tenant> | undefined;
}

export interface AuthConfig {
  readonly tokens: readonly TokenEntry[];
  readonly users: readonly UserEntry[];
  readonly certificates: readonly CertificateEntry[];
  readonly issuers: readonly IssuerEntry[];
}

export const NOBODY: AuthConfig = { tokens: [], users: [], certificates: [], issuers: [] };

const SKEW_SECONDS = 60;
const SKEW_SECONDS_MAX = 600;
const GRANT_KEYS = ['scopes', 'tenants', 'expires'];

/** Throws CONFIG with the place of the first mistake in it: `tokens[2].scopes: expected …`. */
export function parseAuthConfig(text: string): AuthConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    // V8's message quotes the text around the mistake, which may be a secret.
    throw new StoreError('CONFIG', 'expected JSON', { cause: cause instanceof SyntaxError ? undefined : cause });
  }
  const root = new Place('', json);
  root.onlyKeys(['tokens', 'users', 'certificates', 'issuers']);
  const config = {
    tokens: root.list('tokens').map(parseToken),
    users: root.list('users').map(parseUser),
    certificates: root.list('certificates').map(parseCertificate),
    issuers: root.list('issuers').map(parseIssuer),
  };
  refuseTwice(
    'tokens',
    'sha256',
    config.tokens.map(({ sha256 }) => sha256.toString('hex')),
  );
  refuseTwice(
    'users',
    'name',
    config.users.map(({ user }) => user),
  );
  refuseTwice(
    'certificates',
    'san',
    config.certificates.map(({ san }) => san),
  );
  refuseTwice(
    'issuers',
    'issuer',
    config.issuers.map(({ issuer }) => issuer),
  );
  return config;
}

/** Two entries for one credential would leave it open which of them counts. */
function refuseTwice(list: string, key: string, values: readonly string[]): void {
  const at = values.findIndex((value, index) => values.indexOf(value) !== index);
  if (at >= 0) throw new StoreError('CONFIG', `${list}[${at}].${key}: the same as in an entry before it`);
}

function parseToken(entry: Place): TokenEntry {
  entry.onlyKeys(['name', 'sha256', ...GRANT_KEYS]);
  const hex = entry.text('sha256');
  if (!/^[0-9a-f]{64}$/.test(hex)) entry.refuse('sha256', '64 hex digits, as `tracelith token` prints them');
  return { sha256: Buffer.from(hex, 'hex'), granted: grantOf(entry, `token ${entry.text('name')}`) };
}

function parseUser(entry: Place): UserEntry {
  entry.onlyKeys(['name', 'password', ...GRANT_KEYS]);
  const user = entry.text('name');
  if (user.includes(':')) entry.refuse('name', 'a name without a colon');
  const hash = entry.text('password');
  if (!/^scrypt:\d{1,2}:\d{1,2}:\d{1,2}:[\w-]+:[\w-]+$/.test(hash)) {
    entry.refuse('password', 'the hash of a password, as `tracelith password` prints it');
  }
  return { user, hash, granted: grantOf(entry, `user ${user}`) };
}

function parseCertificate(entry: Place): CertificateEntry {
  entry.onlyKeys(['name', 'san', ...GRANT_KEYS]);
  const san = entry.text('san');
  if (!/^(DNS|URI|email|IP Address):./.test(san)) {
    entry.refuse('san', 'a name with its kind, as DNS:collector.example, URI:spiffe://… or IP Address:10.0.0.1');
  }
  return { san, granted: grantOf(entry, `certificate ${entry.optional('name') ?? san}`) };
}

function parseIssuer(entry: Place): IssuerEntry {
  entry.onlyKeys(['issuer', 'audience', 'jwks', 'skewSeconds', 'scopesClaim', 'tenantsClaim', 'scopes', 'tenants']);
  const jwks = entry.optional('jwks');
  for (const [key, url] of [
    ['issuer', entry.text('issuer')],
    ['jwks', jwks],
  ] as const) {
    if (url !== undefined && !isSafeUrl(url)) entry.refuse(key, 'an https URL (http only on this machine)');
  }
  const skew = entry.value('skewSeconds') ?? SKEW_SECONDS;
  if (!(typeof skew === 'number' && skew >= 0 && skew <= SKEW_SECONDS_MAX))
    entry.refuse('skewSeconds', `a number from 0 to ${SKEW_SECONDS_MAX}`);
  return {
    issuer: entry.text('issuer'),
    audience: entry.text('audience'),
    jwks,
    skewSeconds: skew as number,
    scopesClaim: entry.optional('scopesClaim') ?? 'scope',
    tenantsClaim: entry.optional('tenantsClaim') ?? 'tenants',
    scopesOf: entry.value('scopes') === undefined ? undefined : scopeMapOf(entry),
    tenants: entry.value('tenants') === undefined ? new Set() : tenantsOf(entry),
  };
}

function scopeMapOf(entry: Place): Map<string, Scope> {
  const map = entry.value('scopes');
  const pairs = typeof map === 'object' && map !== null && !Array.isArray(map) ? Object.entries(map) : [];
  const isMap = pairs.length > 0 && pairs.every(([, scope]) => isScope(scope));
  if (!isMap) entry.refuse('scopes', `an object of claim values, each with one of ${SCOPES.join(', ')}`);
  return new Map(pairs);
}

/** Keys that come over an open network could be anybody's. */
function isSafeUrl(url: string): boolean {
  const parsed = URL.parse(url);
  // fetch refuses a URL with a login.
  if (parsed === null || parsed.username !== '' || parsed.password !== '') return false;
  const { protocol, hostname } = parsed;
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname));
}

function grantOf(entry: Place, name: string): Granted {
  const scopes = entry.value('scopes');
  const isScopes = Array.isArray(scopes) && scopes.length > 0 && scopes.every(isScope);
  if (!isScopes) entry.refuse('scopes', `a list of ${SCOPES.join(', ')}`);
  const expires = entry.optional('expires');
  const expiresMs = expires === undefined ? Infinity : Date.parse(expires);
  if (Number.isNaN(expiresMs)) entry.refuse('expires', 'a time such as 2027-01-31T00:00:00Z');
  return { name, scopes: new Set(scopes as Scope[]), tenants: tenantsOf(entry), expiresMs };
}

function isScope(value: unknown): value is Scope {
  return SCOPES.some((scope) => scope === value);
}

function tenantsOf(entry: Place): ReadonlySet<Tenant> | undefined {
  const value = entry.value('tenants');
  const tenants = Array.isArray(value) && value.length > 0 ? readTenants(value) : 'none';
  if (tenants === 'none') return entry.refuse('tenants', 'a list of tenants as "0:0", or ["*"] for all of them');
  return tenants;
}

/** Tenants as `ACCOUNT:PROJECT` or `ACCOUNT`; undefined is all of them, given as `*`. 'none': at least one is not a tenant. */
export function readTenants(values: readonly unknown[]): ReadonlySet<Tenant> | undefined | 'none' {
  if (values.includes('*')) return undefined;
  const tenants = new Set<Tenant>();
  for (const value of values) {
    const [, account, project] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(String(value)) ?? [];
    const isTenant = account !== undefined && Math.max(Number(account), Number(project ?? 0)) <= 0xffffffff;
    if (!isTenant) return 'none';
    tenants.add(parseTenant(account, project));
  }
  return tenants;
}

/** One object of the file, with its place in it for messages. */
class Place {
  readonly #path: string;
  readonly #object: Readonly<Record<string, unknown>>;

  constructor(path: string, value: unknown) {
    this.#path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new StoreError('CONFIG', `${path === '' ? 'the file' : path}: expected an object`);
    }
    this.#object = value as Record<string, unknown>;
  }

  onlyKeys(known: readonly string[]): void {
    const unknown = Object.keys(this.#object).find((key) => !known.includes(key));
    if (unknown === undefined) return;
    this.refuse(unknown.slice(0, 40), `one of the keys ${known.join(', ')}`);
  }

  list(key: string): Place[] {
    const value = this.#object[key] ?? [];
    if (!Array.isArray(value)) this.refuse(key, 'a list');
    return (value as unknown[]).map((item, index) => new Place(`${this.#path}${key}[${index}]`, item));
  }

  value(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }

  optional(key: string): string | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '' || /\p{Cc}/u.test(value)) this.refuse(key, 'a text');
    return value as string;
  }

  text(key: string): string {
    return this.optional(key) ?? this.refuse(key, 'a text, it is missing');
  }

  /** Never shows what was found: it may be a secret. */
  refuse(key: string, expected: string): never {
    throw new StoreError('CONFIG', `${this.#path === '' ? '' : `${this.#path}.`}${key}: expected ${expected}`);
  }
}
