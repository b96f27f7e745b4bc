// The values of -storageNode: where the nodes of a cluster are found. The same entries stand in a file of nodes.
import { StoreError } from './errors.ts';
import { listenAddress, type FlagKind } from './flag-value.ts';

/** One entry. Only the last three change while the process runs. */
export type NodeSource =
  | { readonly kind: 'address'; readonly host: string; readonly port: number }
  /** One entry a line, or several with commas; `#` begins a comment. No files in it. */
  | { readonly kind: 'file'; readonly path: string }
  /** All targets and ports of an SRV record. */
  | { readonly kind: 'srv'; readonly name: string }
  /** All addresses of a name, for example of a headless service. */
  | { readonly kind: 'dns'; readonly name: string; readonly port: number };

/** `host:port`, `file:///path`, `dns+srv:name` and `dns:name:port`, separated by commas; empty: none. */
export const nodeSources: FlagKind<readonly NodeSource[]> = {
  unit: 'storage nodes',
  parse: (value) => Object.freeze(parseNodeSources(value, true)),
};

/** Throws CONFIG for an entry of another form, and for a file unless `allowsFiles`. */
export function parseNodeSources(text: string, allowsFiles: boolean): NodeSource[] {
  const entries = text.split(/[,\s]+/).filter((entry) => entry !== '');
  return entries.map((entry) => parseEntry(entry, allowsFiles));
}

function parseEntry(entry: string, allowsFiles: boolean): NodeSource {
  const file = /^file:\/\/(\/.+)$/.exec(entry)?.[1];
  if (file !== undefined && allowsFiles) return { kind: 'file', path: decodeURIComponent(file) };
  const srv = /^dns\+srv:([\w.-]+)$/.exec(entry)?.[1];
  if (srv !== undefined) return { kind: 'srv', name: srv };
  const [, name, port] = /^dns:([\w.-]+):(\d{1,5})$/.exec(entry) ?? [];
  if (name !== undefined && Number(port) <= 65_535) return { kind: 'dns', name, port: Number(port) };
  if (!/^(file|dns(\+srv)?):/.test(entry) && !entry.startsWith(':')) return { kind: 'address', ...addressOf(entry) };
  return refuse(entry);
}

function addressOf(entry: string): { readonly host: string; readonly port: number } {
  try {
    return listenAddress.parse(entry);
  } catch {
    return refuse(entry);
  }
}

function refuse(entry: string): never {
  const forms = 'host:port, file:///path, dns+srv:name or dns:name:port';
  throw new StoreError('CONFIG', `expected ${forms}, got ${JSON.stringify(entry.slice(0, 80))}`);
}
