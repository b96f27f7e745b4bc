// From -storageNode's entries to addresses: reads files of nodes and asks DNS. An entry that cannot be resolved now fails
// alone; its caller keeps what it had.
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { lookup } from 'node:dns/promises';
import { StoreError } from '../base/errors.ts';
import { formatAddress } from '../base/flag-value.ts';
import { parseNodeSources, type NodeSource } from '../base/node-sources.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { DiskReads } from '../disk/disk.ts';

const FILE_BYTES_MAX = 1 << 20;
const DNS_TIMEOUT_MS = 2_000;

export interface ResolvedEntry {
  /** host:port of each node. */
  readonly addresses: readonly string[];
  /** DNS said so: a node that is missing from it may be restarting. */
  readonly isFromDns: boolean;
}

export interface ResolvedSource {
  readonly source: NodeSource;
  /** In the order of the source. Or why it has none. */
  readonly entries: readonly ResolvedEntry[] | Error;
}

/** Resolves all at once. */
export function resolveSources(sources: readonly NodeSource[], disk: DiskReads): Promise<ResolvedSource[]> {
  return Promise.all(
    sources.map(async (source): Promise<ResolvedSource> => {
      try {
        return { source, entries: await resolveSource(source, disk) };
      } catch (error) {
        return { source, entries: error instanceof Error ? error : new Error(String(error)) };
      }
    }),
  );
}

async function resolveSource(source: NodeSource, disk: DiskReads): Promise<ResolvedEntry[]> {
  switch (source.kind) {
    case 'address':
      return [{ addresses: [formatAddress(source)], isFromDns: false }];
    case 'file': {
      const text = Buffer.from(readWholeFile(disk, source.path, FILE_BYTES_MAX)).toString('utf8');
      const listed = parseNodeSources(text.replace(/#.*$/gm, ''), false);
      // A file that is being written looks like that for a moment.
      if (listed.length === 0)
        throw new StoreError('CONFIG', `${source.path} names no storage node; the list before stays`);
      return (await Promise.all(listed.map((entry) => resolveSource(entry, disk)))).flat();
    }
    case 'srv': {
      const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 2 });
      const records = await resolver.resolveSrv(source.name);
      return [{ addresses: records.map(({ name, port }) => formatAddress({ host: name, port })), isFromDns: true }];
    }
    case 'dns': {
      const host = source.name;
      const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }];
      return [
        { addresses: found.map(({ address }) => formatAddress({ host: address, port: source.port })), isFromDns: true },
      ];
    }
    default:
      return source satisfies never;
  }
}
