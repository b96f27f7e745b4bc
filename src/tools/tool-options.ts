// Options of the tools that call running nodes: --name value, or -name=value as the server's flags.
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { StoreError } from '../base/errors.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { NodeClient } from './node-client.ts';

export const DEFAULT_URL = 'http://127.0.0.1:10428';
const KEY_BYTES_MAX = 4_096;

/** The given options by name. Throws CONFIG for an unknown one, a missing value, or another argument. */
export function readOptions(
  args: readonly string[],
  options: ParseArgsOptionsConfig,
): Readonly<Record<string, string | boolean | undefined>> {
  const plain = args.map((arg) => (/^-[a-z]{2}/.test(arg) ? `-${arg}` : arg));
  try {
    return parseArgs({ args: plain, options, strict: true, allowPositionals: false }).values as ReturnType<
      typeof readOptions
    >;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new StoreError('CONFIG', `${error.message.split('. ')[0]}; -help lists the options`, { cause: error });
  }
}

/** A day, or the beginning of days. Throws CONFIG. */
export function readDayPrefix(given: string | boolean | undefined): string {
  const prefix = typeof given === 'string' ? given : '';
  if (/^\d{0,8}$/.test(prefix)) return prefix;
  throw new StoreError('CONFIG', `--day ${prefix}: expected YYYYMMDD or the beginning of it`);
}

/** What --from-token-file, --to-token-file and --auth-key-file mean, for help. */
export const LOGIN_HELP = `  --from-token-file FILE, --to-token-file FILE
                        hold the bearer token of that node, if it asks for one: scopes ingest, query and admin, all
                        tenants; or write a name and password into the URL, which others may see
  --auth-key-file FILE  holds the value of -partitionManageAuthKey, if the nodes have one
`;
export const LOGIN_OPTIONS = {
  'from-token-file': { type: 'string' },
  'to-token-file': { type: 'string' },
  'auth-key-file': { type: 'string' },
} as const;

/** The two nodes of a tool, logged in as its options say. Throws CONFIG, DISK, CORRUPTION. */
export function nodesOf(given: ReturnType<typeof readOptions>): { readonly from: NodeClient; readonly to: NodeClient } {
  const { from, to = DEFAULT_URL } = given;
  if (typeof from !== 'string') throw new StoreError('CONFIG', '--from is missing');
  const authKey = readKey(given['auth-key-file']);
  const clientOf = (url: string, tokenFile: string | boolean | undefined): NodeClient =>
    new NodeClient({ url, authKey, token: readKey(tokenFile) });
  return { from: clientOf(from, given['from-token-file']), to: clientOf(String(to), given['to-token-file']) };
}

/** The first line of the file; undefined if none was given. Throws DISK, CORRUPTION. */
export function readKey(file: string | boolean | undefined): string | undefined {
  if (typeof file !== 'string') return undefined;
  return Buffer.from(readWholeFile(nodeDisk, file, KEY_BYTES_MAX))
    .toString()
    .split('\n', 1)[0];
}
