// TLS towards the storage nodes: whom this process trusts, and the certificate that it shows. Files that have changed are taken up
// for new connections; those that do not fit together are reported, and the ones before stay in use.
import { X509Certificate } from 'node:crypto';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { watchFiles, type WatchedFiles } from '../disk/watched-files.ts';

/** Of Config. */
export interface NodeTlsConfig {
  /** -storageNode.tls */
  readonly isNodeTlsOn: boolean;
  /** -storageNode.tlsCAFile; empty: the authorities that Node.js trusts. */
  readonly nodeTlsCaFile: string;
  /** -storageNode.tlsCertFile and -storageNode.tlsKeyFile; empty: no certificate is shown. */
  readonly nodeTlsCertFile: string;
  readonly nodeTlsKeyFile: string;
  /** -storageNode.tlsServerName; empty: the name in the node's address. */
  readonly nodeTlsServerName: string;
}

export class NodeTls implements Disposable {
  /** Another object after each change of the files. */
  credentials!: ChannelCredentials;
  /** Overrides the name in the address; undefined: it does not. */
  readonly serverName: string | undefined;
  readonly #watch: WatchedFiles;

  /** Throws CONFIG. */
  constructor(config: NodeTlsConfig, logger: Logger) {
    this.serverName = config.nodeTlsServerName === '' ? undefined : config.nodeTlsServerName;
    const paths = [config.nodeTlsCaFile, config.nodeTlsCertFile, config.nodeTlsKeyFile];
    const given = paths.filter((path) => path !== '');
    const take = (texts: readonly string[]): void => {
      const [ca = null, cert = null, key = null] = paths.map((path) => {
        return path === '' ? null : Buffer.from(texts[given.indexOf(path)]!);
      });
      // Throw if the authority is none, or if key and certificate do not fit.
      if (ca !== null) void new X509Certificate(ca);
      this.credentials = credentials.createSsl(ca, key, cert);
    };
    const onError = (error: unknown): void =>
      logger.error('a certificate cannot be taken up; the one before stays in use', {
        flag: '-storageNode.tls',
        error,
      });
    try {
      this.#watch = watchFiles({ paths: given, onChange: take, onError });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreError('CONFIG', `-storageNode.tls: ${given.join(', ')}: ${reason}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

/** undefined: nodes are reached without TLS. Throws CONFIG for flags that do not fit together. */
export function openNodeTls(config: NodeTlsConfig, logger: Logger): NodeTls | undefined {
  const others = {
    tlsCAFile: config.nodeTlsCaFile,
    tlsCertFile: config.nodeTlsCertFile,
    tlsKeyFile: config.nodeTlsKeyFile,
    tlsServerName: config.nodeTlsServerName,
  };
  for (const [name, value] of Object.entries(others)) {
    if (!config.isNodeTlsOn && value !== '')
      throw new StoreError('CONFIG', `-storageNode.${name} needs -storageNode.tls`);
  }
  if ((others.tlsCertFile === '') !== (others.tlsKeyFile === ''))
    throw new StoreError('CONFIG', '-storageNode.tlsCertFile and -storageNode.tlsKeyFile need each other');
  return config.isNodeTlsOn ? new NodeTls(config, logger) : undefined;
}

/** What to do about a handshake that failed, by OpenSSL's and Node.js' texts. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/certificate has expired/i, 'its certificate has expired: renew its -storage.tlsCertFile'],
  [/not yet valid/i, 'its certificate is not valid yet: compare the clocks of both machines'],
  [
    /unable to (get|verify)|self.signed certificate/i,
    'its certificate is of an authority that is not trusted here: name that authority in -storageNode.tlsCAFile',
  ],
  [
    /altnames|does not match certificate/i,
    'its certificate is of another name: set -storageNode.tlsServerName to one of its names',
  ],
  [
    // With TLS 1.3 a server hears of the client's certificate last, and then often just ends the connection.
    /certificate required|bad certificate|unknown ca|handshake failure|Failed to connect|ECONNRESET/i,
    'it ended the connection; if it has -storage.mtls, set -storageNode.tlsCertFile to one that its -storage.mtlsCAFile has signed',
  ],
  [
    /wrong version number|packet length too long|EPROTO/i,
    'it does not speak TLS: give it -storage.tls, or take -storageNode.tls away here',
  ],
];

const ENDED = /Last error: Failed to connect/;

/** What to do about a connection that failed with this text; undefined: the text has nothing to do with TLS. */
export function tlsRemedy(text: string, isTls: boolean): string | undefined {
  if (isTls) return REMEDIES.find(([pattern]) => pattern.test(text))?.[1];
  return ENDED.test(text) ? 'it ended the connection; if it has -storage.tls, set -storageNode.tls here' : undefined;
}
