// The logins of a process, from its flags and the file of -auth.config, which is taken up again whenever it changes; and the
// refusal to start where everybody would get in.
import { systemClock } from '../../base/clock.ts';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { formatAddress, isLoopback, type ListenAddress } from '../../base/flag-value.ts';
import type { Logger } from '../../base/logger.ts';
import { watchFiles } from '../../disk/watched-files.ts';
import type { Config } from '../../config.ts';
import type { LoginFailure } from '../metrics/login-metrics.ts';
import { Access } from './access.ts';
import { parseAuthConfig } from './auth-config.ts';
import { takesCertificates, type TlsConfig } from './listener-tls.ts';

export interface OpenAccessOptions {
  readonly config: Pick<
    Config,
    | 'authConfigPath'
    | 'httpAuthUsername'
    | 'httpAuthPassword'
    | 'isInsecure'
    | 'httpListenAddr'
    | 'otlpHttpListenAddr'
    | 'otlpGrpcListenAddr'
    | 'grpcListenAddr'
    | 'storageListenAddr'
    | 'adminListenAddr'
  > &
    TlsConfig;
  readonly logger: Logger;
  readonly countFailure: (reason: LoginFailure) => void;
}

export interface OpenedAccess extends Disposable {
  readonly access: Access;
}

/** Throws CONFIG for a file that cannot be read or parsed, and for an open address that other machines reach. */
export function openAccess({ config, logger, countFailure }: OpenAccessOptions): OpenedAccess {
  const { authConfigPath: path, httpAuthUsername: username, httpAuthPassword: password } = config;
  if (username !== '' && password === '') throw new StoreError('CONFIG', '-httpAuth.username needs -httpAuth.password');
  const hasAuthConfig = path !== '';
  const options = { username, password, hasAuthConfig, hasCertificates: takesCertificates(config), clock: systemClock };
  const access = new Access({ ...options, logger, countFailure });
  refuseOpenAddresses(config, access.isOpen);
  if (!hasAuthConfig) return { access, [Symbol.dispose]: () => undefined };
  try {
    const watch = watchFiles({
      paths: [path],
      onChange: ([text = '']) => {
        const parsed = parseAuthConfig(text);
        access.configure(parsed);
        const { tokens, users, certificates, issuers } = parsed;
        const counts = [tokens, users, certificates, issuers].map((list) => list.length);
        logger.info('the logins were read', {
          path,
          ...Object.fromEntries(['tokens', 'users', 'certificates', 'issuers'].map((name, at) => [name, counts[at]])),
        });
      },
      onError: (error) => logger.error('the logins cannot be read; those before stay in force', { path, error }),
    });
    return { access, [Symbol.dispose]: () => watch[Symbol.dispose]() };
  } catch (cause) {
    const reason = isStoreError(cause) || cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('CONFIG', `-auth.config=${path}: ${reason}`, { cause });
  }
}

/** Throws CONFIG if other machines reach a listener and nobody has to log in. */
function refuseOpenAddresses(config: OpenAccessOptions['config'], isOpen: boolean): void {
  if (!isOpen || config.isInsecure) return;
  const { httpListenAddr, otlpHttpListenAddr, otlpGrpcListenAddr, grpcListenAddr, storageListenAddr, adminListenAddr } =
    config;
  const addresses: readonly (readonly [flag: string, address: ListenAddress | undefined])[] = [
    ['httpListenAddr', httpListenAddr],
    ['otlpHTTPListenAddr', otlpHttpListenAddr],
    ['otlpGRPCListenAddr', otlpGrpcListenAddr],
    ['grpc.listenAddr', grpcListenAddr],
    ['storage.listenAddr', storageListenAddr],
    ['adminListenAddr', adminListenAddr],
  ];
  for (const [flag, address] of addresses) {
    if (address === undefined || isLoopback(address.host)) continue;
    throw new StoreError(
      'CONFIG',
      `-${flag}=${formatAddress(address)}: other machines reach this address and nobody has to log in; set ` +
        '-auth.config or -httpAuth.password (docs/operations/access.md), listen on 127.0.0.1, or say -insecure',
    );
  }
}
