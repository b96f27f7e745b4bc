// The value of -ingestLog: which log stands between insert and storage nodes, and where it is.
import { StoreError } from './errors.ts';
import type { FlagKind } from './flag-value.ts';

export interface LogAddress {
  readonly kind: 'jetstream' | 'kafka';
  /** host:port of some of its servers. */
  readonly servers: readonly string[];
  readonly isTls: boolean;
  /** Of Kafka. */
  readonly topic: string;
}

const KIND_OF_SCHEME: Readonly<Record<string, LogAddress['kind']>> = {
  nats: 'jetstream',
  tls: 'jetstream',
  kafka: 'kafka',
  'kafka+tls': 'kafka',
};

/** `nats://host:port,host:port`, `kafka://host:port,host:port/topic`, over TLS `tls://…` and `kafka+tls://…`; empty: none. */
export const logAddress: FlagKind<LogAddress | undefined> = {
  unit: 'log',
  parse: (text) => {
    if (text === '') return undefined;
    const [, scheme = '', rest = ''] = /^([a-z+]+):\/\/(.+)$/.exec(text) ?? [];
    const kind = KIND_OF_SCHEME[scheme];
    const [list = '', topic = ''] = kind === 'kafka' ? rest.split(/\/(.*)/) : [rest];
    const servers = list.split(',').map((server) => server.replace(/^(nats|tls):\/\//, ''));
    const isWhole = servers.every((server) => /^([\w.-]+|\[[\da-f:]+\]):\d{1,5}$/i.test(server));
    // As Kafka names topics; NATS' streams have their names from another flag.
    const hasTopic = kind === 'kafka' ? /^[\w.-]{1,249}$/.test(topic) : topic === '';
    if (kind === undefined || !isWhole || !hasTopic)
      throw new StoreError(
        'CONFIG',
        `expected nats://host:port,host:port or kafka://host:port,host:port/topic (over TLS tls://… and kafka+tls://…), got ${JSON.stringify(text.slice(0, 80))}`,
      );
    return Object.freeze({ kind, servers: Object.freeze(servers), isTls: scheme.endsWith('tls'), topic });
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
