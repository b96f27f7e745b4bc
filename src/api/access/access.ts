// Logs callers in, for HTTP and gRPC alike: an Authorization header (Basic, or Bearer with a token of the file or a JWT), or the
// certificate of the connection, becomes one Principal. What was verified is kept by the hash of the header, so that a request of a
// known client costs one hash. Without any way to log in, everybody is ANYONE.
import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { StoreError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { hashSecret, isPassword, isSameSecret } from '../../base/password-hash.ts';
import { NOBODY, type AuthConfig } from './auth-config.ts';
import type { LoginFailure } from '../metrics/login-metrics.ts';
import { FailedLogins } from './failed-logins.ts';
import { isJwt, JsonWebTokens } from './json-web-tokens.ts';
import { almighty, ANYONE, type Principal } from '../../trace/principal.ts';

/** What is known of a caller before the login. */
export interface Caller {
  readonly authorization: string | undefined;
  /** Of the connection's other end. */
  readonly address: string;
  /** Subject alternative names of a certificate that the listener has verified; undefined: there is none. */
  readonly certificateNames: readonly string[] | undefined;
}

export interface AccessOptions {
  /** -httpAuth.username and -httpAuth.password; '' for none. */
  readonly username: string;
  readonly password: string;
  /** -auth.config was given: a file without entries lets nobody in. */
  readonly hasAuthConfig: boolean;
  /** A listener asks for client certificates: a verified one alone is enough where no file says what it may. */
  readonly hasCertificates: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly countFailure: (reason: LoginFailure) => void;
}

/** What listeners need of an Access. */
export type LogIns = Pick<Access, 'isOpen' | 'logIn'>;

/** The logins of a server that has none. */
export const OPEN_ACCESS: LogIns = { isOpen: true, logIn: () => ANYONE };

/** Verified headers that are kept, some 300 bytes each; the one used longest ago goes. */
const VERIFIED_MAX = 10_000;
/** Passwords checked at a time, 32 MiB and a thread of libuv's pool each. */
const CHECKS_MAX = 2;
const HEADER_CHARS_MAX = 8_192;

export class Access {
  /** Nobody has to log in. */
  readonly isOpen: boolean;
  readonly #options: AccessOptions;
  readonly #failed: FailedLogins;
  readonly #verified = new Map<string, Principal>();
  #config: AuthConfig = NOBODY;
  #tokens: JsonWebTokens | undefined;
  #checks = 0;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#failed = new FailedLogins(options.clock);
    const { hasAuthConfig, password, hasCertificates } = options;
    this.isOpen = !hasAuthConfig && password === '' && !hasCertificates;
  }

  /** Replaces what the file of -auth.config says; everybody is verified anew. */
  configure(config: AuthConfig): void {
    this.#config = config;
    const now = (): number => this.#options.clock.nowMs();
    this.#tokens = config.issuers.length === 0 ? undefined : new JsonWebTokens(config.issuers, now);
    this.#verified.clear();
  }

  /** Throws UNAUTHENTICATED, OVERLOADED (too many failures), UNAVAILABLE (an issuer does not answer). */
  logIn(caller: Caller): Principal | Promise<Principal> {
    if (this.isOpen) return ANYONE;
    const { authorization, certificateNames } = caller;
    if (authorization === undefined) return this.#byCertificate(certificateNames) ?? this.#refuse(caller, 'missing');
    if (authorization.length > HEADER_CHARS_MAX) return this.#refuse(caller, 'malformed');
    const key = hashSecret(authorization).toString('latin1');
    const known = this.#verified.get(key);
    if (known === undefined) return this.#verify(caller, authorization, key);
    if (known.expiresMs <= this.#options.clock.nowMs()) {
      this.#verified.delete(key);
      return this.#refuse(caller, 'expired');
    }
    // To the end: the first one is the one used longest ago.
    this.#verified.delete(key);
    this.#verified.set(key, known);
    return known;
  }

  #byCertificate(names: readonly string[] | undefined): Principal | undefined {
    if (names === undefined) return undefined;
    const { hasAuthConfig } = this.#options;
    if (!hasAuthConfig) return almighty(`certificate ${names[0] ?? 'without a name'}`);
    const entry = this.#config.certificates.find(({ san }) => names.includes(san));
    return entry !== undefined && entry.granted.expiresMs > this.#options.clock.nowMs() ? entry.granted : undefined;
  }

  async #verify(caller: Caller, authorization: string, key: string): Promise<Principal> {
    const [, scheme = '', credential = ''] = /^(\S+) +(\S+) *$/.exec(authorization) ?? [];
    const kind = scheme.toLowerCase();
    if (kind !== 'basic' && kind !== 'bearer') return this.#refuse(caller, 'malformed');
    const config = this.#config;
    const principal = await (kind === 'basic'
      ? this.#byPassword(caller, credential)
      : this.#byToken(caller, credential));
    if (principal === undefined) return this.#refuse(caller, 'unknown');
    if (principal.expiresMs <= this.#options.clock.nowMs()) return this.#refuse(caller, 'expired');
    // What was verified by an older file may be wrong by the new one.
    if (config === this.#config) this.#keep(key, principal);
    return principal;
  }

  #keep(key: string, principal: Principal): void {
    this.#verified.set(key, principal);
    if (this.#verified.size <= VERIFIED_MAX) return;
    const [oldest] = this.#verified.keys();
    this.#verified.delete(oldest!);
  }

  async #byPassword(caller: Caller, credential: string): Promise<Principal | undefined> {
    const text = Buffer.from(credential, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 0) return this.#refuse(caller, 'malformed');
    this.#throttle(caller);
    const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
    const { username, password: expected } = this.#options;
    // Both are compared, so that the time does not tell which of them is wrong.
    const isUser = isSameSecret(user, username);
    if (isSameSecret(password, expected) && isUser && expected !== '') return almighty(`user ${username}`);
    const entry = this.#config.users.find((known) => known.user === user);
    // An unknown user takes as long as a known one.
    const [first] = this.#config.users;
    const hash = (entry ?? first)?.hash;
    if (hash === undefined) return undefined;
    const isRight = await this.#inTurn(() => isPassword(password, hash));
    return isRight ? entry?.granted : undefined;
  }

  async #byToken(caller: Caller, token: string): Promise<Principal | undefined> {
    const hash = hashSecret(token);
    const entry = this.#config.tokens.find(({ sha256 }) => timingSafeEqual(sha256, hash));
    if (entry !== undefined) return entry.granted;
    this.#throttle(caller);
    if (this.#tokens === undefined || !isJwt(token)) return undefined;
    try {
      return await this.#tokens.verify(token);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'UNAUTHENTICATED')
        this.#count(caller, 'unknown', error.message);
      else this.#options.logger.error('the keys of an issuer cannot be fetched', { error });
      throw error;
    }
  }

  /** Throws OVERLOADED if the caller's address has failed too often lately. */
  #throttle(caller: Caller): void {
    const waitMs = this.#failed.waitMs(caller.address);
    if (waitMs === 0) return;
    this.#count(caller, 'throttled');
    const seconds = Math.ceil(waitMs / 1_000);
    throw new StoreError('OVERLOADED', `too many failed logins from this address: try again in ${seconds} seconds`);
  }

  async #inTurn(check: () => Promise<boolean>): Promise<boolean> {
    if (this.#checks >= CHECKS_MAX) throw new StoreError('OVERLOADED', 'other passwords are being checked; try again');
    this.#checks++;
    try {
      return await check();
    } finally {
      this.#checks--;
    }
  }

  #refuse(caller: Caller, reason: LoginFailure): never {
    this.#count(caller, reason);
    throw new StoreError('UNAUTHENTICATED', REFUSALS[reason]);
  }

  #count({ address }: Caller, reason: LoginFailure, detail?: string): void {
    const { countFailure, logger } = this.#options;
    countFailure(reason);
    // Browsers, and clients that wait to be asked, come without.
    if (reason === 'missing') return;
    if (reason !== 'throttled') this.#failed.add(address);
    logger.warn('a login failed', { from: address, reason, detail });
  }
}

const REFUSALS: Readonly<Record<LoginFailure, string>> = {
  missing: 'log in: send Authorization with a Bearer token or Basic credentials, or a client certificate',
  malformed: 'the Authorization header is neither Basic nor Bearer credentials',
  unknown: 'wrong user, password or token',
  expired: 'the credential has expired',
  throttled: 'too many failed logins from this address',
};
