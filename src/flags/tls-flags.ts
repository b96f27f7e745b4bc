// Flags of TLS: each listener has its own certificate, and may ask its clients for theirs. Names as in VictoriaMetrics.
import { flag, type Flag } from '../base/flag-row.ts';
import { boolean, choice, text } from '../base/flag-value.ts';

export const TLS_VERSIONS = ['TLS12', 'TLS13'] as const;

type TlsFlags<Key extends string> = Readonly<
  Record<`${Key}Tls` | `${Key}Mtls`, Flag<boolean>> &
    Record<`${Key}TlsCertFile` | `${Key}TlsKeyFile` | `${Key}MtlsCaFile`, Flag<string>>
>;

/** The flags of one listener: `key` begins their names in Config, `prefix` their own, `listener` is the flag of its address. */
function flagsOf<const Key extends string>(key: Key, prefix: string, listener: string): TlsFlags<Key> {
  const file = (name: string, meaning: string, path: string): Flag<string> =>
    flag('tls', prefix + name, text, {
      default: '',
      meaning: `${meaning} on -${listener}, PEM. Read again when it changes.`,
      reason: 'There is none to begin with.',
      example: `-${prefix}${name}=/etc/tracelith/${path}`,
    });
  const made = {
    [`${key}Tls`]: flag('tls', `${prefix}tls`, boolean, {
      default: 'false',
      meaning: `Serve -${listener} over TLS alone.`,
      reason: 'The default listeners are on loopback.',
      example: `-${prefix}tls`,
    }),
    [`${key}TlsCertFile`]: file('tlsCertFile', 'Certificate, and the chain above it,', 'server.crt'),
    [`${key}TlsKeyFile`]: file('tlsKeyFile', 'Key of the certificate', 'server.key'),
    [`${key}Mtls`]: flag('tls', `${prefix}mtls`, boolean, {
      default: 'false',
      meaning: `Refuse connections without a certificate of -${prefix}mtlsCAFile on -${listener}.`,
      reason: 'A certificate is one of several ways to log in.',
      example: `-${prefix}mtls`,
    }),
    [`${key}MtlsCaFile`]: file('mtlsCAFile', 'Authorities whose client certificates count as logins', 'clients.crt'),
  };
  return made as unknown as TlsFlags<Key>;
}

export const tlsFlags = {
  ...flagsOf('http', '', 'httpListenAddr'),
  ...flagsOf('otlpHttp', 'otlpHTTP.', 'otlpHTTPListenAddr'),
  ...flagsOf('otlpGrpc', 'otlpGRPC.', 'otlpGRPCListenAddr'),
  ...flagsOf('grpc', 'grpc.', 'grpc.listenAddr'),
  ...flagsOf('storage', 'storage.', 'storage.listenAddr'),
  tlsVersionMin: flag('tls', 'tlsMinVersion', choice(TLS_VERSIONS), {
    default: 'TLS12',
    meaning: 'Lowest version of TLS, on every listener.',
    reason: 'Older versions are broken; every client of today speaks this one.',
    example: '-tlsMinVersion=TLS13',
  }),
} as const;
