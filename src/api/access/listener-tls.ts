// TLS of one listener: its certificate, and which client certificates count as a login. Changed files are taken up for new
// connections; those that are open go on. Files that do not fit together are reported, and the ones before stay in use.
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions, type Server, type TlsOptions } from 'node:tls';
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { watchFiles, type WatchedFiles } from '../../disk/watched-files.ts';

/** The listeners by the beginning of their keys in Config, and the prefix of their flags. */
const PREFIXES = {
  http: '',
  otlpHttp: 'otlpHTTP.',
  otlpGrpc: 'otlpGRPC.',
  grpc: 'grpc.',
  storage: 'storage.',
} as const;
export type TlsListener = keyof typeof PREFIXES;

type Key<Suffix extends string> = `${TlsListener}${Suffix}`;
export type TlsConfig = Readonly<
  Record<Key<'Tls'> | Key<'Mtls'>, boolean> & Record<Key<'TlsCertFile'> | Key<'TlsKeyFile'> | Key<'MtlsCaFile'>, string>
> & { readonly tlsVersionMin: 'TLS12' | 'TLS13' };

const VERSIONS = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;
/** Real clients shake hands at once. */
const HANDSHAKE_MAX_MS = 10_000;

/** Whether a listener takes client certificates as logins. */
export function takesCertificates(config: TlsConfig): boolean {
  return (Object.keys(PREFIXES) as TlsListener[]).some((listener) => config[`${listener}MtlsCaFile`] !== '');
}

export class ListenerTls implements Disposable {
  readonly #options: TlsOptions;
  readonly #watch: WatchedFiles;
  readonly #logger: Logger;
  readonly #flag: string;
  #server: Pick<Server, 'setSecureContext'> | undefined;
  #context: SecureContextOptions = {};
  #expiresMs = 0;

  /** Reads the files once. Throws CONFIG. */
  constructor(config: TlsConfig, listener: TlsListener, logger: Logger) {
    const [certFile, keyFile] = [config[`${listener}TlsCertFile`], config[`${listener}TlsKeyFile`]];
    const caFile = config[`${listener}MtlsCaFile`];
    this.#flag = `-${PREFIXES[listener]}tls`;
    this.#logger = logger;
    const minVersion = VERSIONS[config.tlsVersionMin];
    try {
      this.#watch = watchFiles({
        paths: [certFile, keyFile, ...(caFile === '' ? [] : [caFile])],
        onChange: ([cert = '', key = '', ca]) =>
          this.#take({ cert, key, minVersion, ...(ca === undefined ? {} : { ca }) }),
        onError: (error) =>
          logger.error('a certificate cannot be taken up; the one before stays in use', { flag: this.#flag, error }),
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreError('CONFIG', `${this.#flag}CertFile=${certFile}: ${reason}`, { cause });
    }
    this.#options = {
      handshakeTimeout: HANDSHAKE_MAX_MS,
      // Without `rejectUnauthorized` a wrong certificate counts as none.
      requestCert: caFile !== '',
      rejectUnauthorized: config[`${listener}Mtls`],
    };
  }

  /** Of a server that is about to open. */
  get options(): TlsOptions {
    return { ...this.#options, ...this.#context };
  }

  /** End of the certificate, milliseconds since the epoch. */
  get expiresMs(): number {
    return this.#expiresMs;
  }

  /** Gives changed certificates to `server` from now on. */
  serve(server: Pick<Server, 'setSecureContext'>): void {
    assert(this.#server === undefined, 'one listener has one server');
    this.#server = server;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  #take(context: SecureContextOptions): void {
    // Throws if key and certificate do not fit, or are none.
    createSecureContext(context);
    const certificate = new X509Certificate(String(context.cert));
    this.#server?.setSecureContext(context);
    this.#context = context;
    this.#expiresMs = certificate.validToDate.getTime();
    const { subject, validTo, fingerprint256: sha256 } = certificate;
    this.#logger.info('a certificate is in use', { flag: this.#flag, subject, validTo, sha256 });
  }
}

/** The TLS of a listener; undefined: it has none. Throws CONFIG for flags that do not fit together. */
export function listenerTls(config: TlsConfig, listener: TlsListener, logger: Logger): ListenerTls | undefined {
  const prefix = PREFIXES[listener];
  const isOn = config[`${listener}Tls`];
  const given = { CertFile: config[`${listener}TlsCertFile`], KeyFile: config[`${listener}TlsKeyFile`] };
  const isMtls = config[`${listener}Mtls`];
  const caFile = config[`${listener}MtlsCaFile`];
  for (const [name, file] of Object.entries(given)) {
    if (isOn !== (file !== ''))
      throw new StoreError('CONFIG', `-${prefix}tls and -${prefix}tls${name} need each other`);
  }
  if (!isOn && (isMtls || caFile !== '')) throw new StoreError('CONFIG', `-${prefix}mtls needs -${prefix}tls`);
  if (isMtls && caFile === '') throw new StoreError('CONFIG', `-${prefix}mtls needs -${prefix}mtlsCAFile`);
  return isOn ? new ListenerTls(config, listener, logger) : undefined;
}
