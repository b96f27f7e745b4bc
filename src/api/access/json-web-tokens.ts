// Signed tokens of OpenID providers (JWT): signature, issuer, audience and times are checked by `jose`; claims become tenants and
// scopes. Keys come from the issuer's JWKS, are kept, and are fetched again when a token names one that is not among them, at
// most every five seconds. An issuer that does not answer makes requests wait for it to come back (503), never fail for good (401).
import { createRemoteJWKSet, customFetch, decodeJwt, errors, jwtVerify, type JWTPayload } from 'jose';
import { StoreError } from '../../base/errors.ts';
import type { Tenant } from '../../trace/tenant.ts';
import { readTenants, type IssuerEntry } from './auth-config.ts';
import { SCOPES, type Principal, type Scope } from '../../trace/principal.ts';

/** Signatures alone: with a shared secret, whoever checks could also sign. */
const ALGORITHMS = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ');
const FETCH_MAX_MS = 5_000;
/** A JWKS has some KB. */
const FETCH_BYTES_MAX = 1 << 20;
/** Between two attempts to find out where the keys are, and between two fetches because a token names an unknown key. */
const FETCH_PAUSE_MS = 5_000;
/** Of a principal's claims, in messages. */
const NAME_CHARS_MAX = 100;

/** Whether a bearer token is a JWT rather than one of the file. */
export function isJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
}

interface Issuer {
  readonly entry: IssuerEntry;
  keys: ReturnType<typeof createRemoteJWKSet> | undefined;
  discovery: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined;
}

export class JsonWebTokens {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #now: () => number;

  /** `now`: milliseconds since the epoch. */
  constructor(entries: readonly IssuerEntry[], now: () => number) {
    this.#issuers = new Map(
      entries.map((entry) => [
        entry.issuer,
        { entry, keys: entry.jwks === undefined ? undefined : remoteKeys(entry.jwks), discovery: undefined },
      ]),
    );
    this.#now = now;
  }

  /** Throws UNAUTHENTICATED for a token that is not valid here, UNAVAILABLE if its issuer's keys cannot be fetched. */
  async verify(token: string): Promise<Principal> {
    const issuer = this.#issuerOf(token);
    const { entry } = issuer;
    try {
      const keys = (issuer.keys ??= await this.#discover(issuer));
      const { payload } = await jwtVerify(token, keys, {
        issuer: entry.issuer,
        audience: entry.audience,
        algorithms: ALGORITHMS,
        clockTolerance: entry.skewSeconds,
        currentDate: new Date(this.#now()),
        requiredClaims: ['exp'],
      });
      return principalOf(payload, entry);
    } catch (cause) {
      throw refusalOf(cause, entry.issuer);
    }
  }

  #issuerOf(token: string): Issuer {
    let claimed: unknown;
    try {
      claimed = decodeJwt(token).iss;
    } catch (cause) {
      throw new StoreError('UNAUTHENTICATED', 'the bearer token is no JWT', { cause });
    }
    const issuer = typeof claimed === 'string' ? this.#issuers.get(claimed) : undefined;
    if (issuer === undefined) throw new StoreError('UNAUTHENTICATED', 'the bearer token is of an unknown issuer');
    return issuer;
  }

  /** Requests that come meanwhile share one attempt. */
  #discover(issuer: Issuer): Promise<ReturnType<typeof createRemoteJWKSet>> {
    issuer.discovery ??= findKeys(issuer.entry.issuer).catch((error: unknown) => {
      setTimeout(() => (issuer.discovery = undefined), FETCH_PAUSE_MS).unref();
      throw error;
    });
    return issuer.discovery;
  }
}

/** The keys where the issuer's OpenID configuration says. */
async function findKeys(issuer: string): Promise<ReturnType<typeof createRemoteJWKSet>> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const answer = await boundedFetch(url, { signal: AbortSignal.timeout(FETCH_MAX_MS) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const found = (await answer.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (found.issuer !== issuer || typeof found.jwks_uri !== 'string') throw new Error(`${url} is not of this issuer`);
  return remoteKeys(found.jwks_uri);
}

function remoteKeys(url: string): ReturnType<typeof createRemoteJWKSet> {
  const options = { timeoutDuration: FETCH_MAX_MS, cooldownDuration: FETCH_PAUSE_MS, [customFetch]: boundedFetch };
  return createRemoteJWKSet(new URL(url), options);
}

/** As fetch, for answers up to FETCH_BYTES_MAX; redirects are refused, because the keys of another host are not the issuer's. */
async function boundedFetch(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'error' });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > FETCH_BYTES_MAX) throw new Error(`${url} answered more than ${FETCH_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
}

function refusalOf(cause: unknown, issuer: string): StoreError {
  const isOfToken = cause instanceof errors.JOSEError && !(cause instanceof errors.JWKSTimeout);
  // A key set that is not one is the issuer's fault.
  const isOfIssuer = !isOfToken || cause instanceof errors.JWKSInvalid || cause.code === 'ERR_JOSE_GENERIC';
  if (!isOfIssuer)
    return new StoreError('UNAUTHENTICATED', `the bearer token is not valid: ${cause.message}`, { cause });
  return new StoreError('UNAVAILABLE', `the keys of ${issuer} cannot be fetched; try again`, { cause });
}

function principalOf(payload: JWTPayload, entry: IssuerEntry): Principal {
  const scopes = new Set<Scope>();
  for (const word of wordsOf(payload[entry.scopesClaim])) {
    const scope = entry.scopesOf === undefined ? SCOPES.find((known) => known === word) : entry.scopesOf.get(word);
    if (scope !== undefined) scopes.add(scope);
  }
  const claimed = wordsOf(payload[entry.tenantsClaim]);
  const tenants = claimed.length === 0 ? entry.tenants : readTenants(claimed);
  const names = [payload.sub, payload['azp'], payload['client_id']];
  const subject = names.find((name) => typeof name === 'string') ?? 'without a name';
  return {
    name: `subject ${subject.slice(0, NAME_CHARS_MAX)}`,
    scopes,
    tenants: tenants === 'none' ? new Set<Tenant>() : tenants,
    expiresMs: (payload.exp! + entry.skewSeconds) * 1_000,
  };
}

/** A claim as a list: words between spaces, or the items of an array. */
function wordsOf(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(' ').filter((word) => word !== '');
  if (typeof claim === 'number') return [String(claim)];
  return Array.isArray(claim) ? claim.map(String) : [];
}
