// The value of -ingestLog: which log stands between insert and storage nodes, and where it is.
import { StoreError } from './errors.ts';
import type { FlagKind } from './flag-value.ts';

export interface LogAddress {
  readonly kind: 'jetstream';
  /** host:port of some of its servers. */
  readonly servers: readonly string[];
  readonly isTls: boolean;
}

/** `nats://host:port,host:port`, or `tls://…`; empty: none. */
export const logAddress: FlagKind<LogAddress | undefined> = {
  unit: 'log',
  parse: (text) => {
    if (text === '') return undefined;
    const [, scheme, rest = ''] = /^(nats|tls):\/\/(.+)$/.exec(text) ?? [];
    const servers = rest.split(',').map((server) => server.replace(/^(nats|tls):\/\//, ''));
    if (scheme === undefined || !servers.every((server) => /^([\w.-]+|\[[\da-f:]+\]):\d{1,5}$/i.test(server)))
      throw new StoreError(
        'CONFIG',
        `expected nats://host:port,host:port or tls://…, got ${JSON.stringify(text.slice(0, 80))}`,
      );
    return Object.freeze({ kind: 'jetstream', servers: Object.freeze(servers), isTls: scheme === 'tls' });
  },
};

/** `http://host:port`, separated by commas, without logins; empty: none. */
export const monitorAddresses: FlagKind<readonly string[]> = {
  unit: 'URLs',
  parse: (text) => {
    const urls = text === '' ? [] : text.split(',').map((url) => url.trim());
    for (const url of urls)
      if (!/^https?:\/\/[^@]+$/.test(url) || !URL.canParse(url))
        throw new StoreError(
          'CONFIG',
          `expected http://host:port, with commas, got ${JSON.stringify(url.slice(0, 80))}`,
        );
    return Object.freeze(urls);
  },
};
