// `tracelith token` and `tracelith password`: make a random credential, and the entry for the file of -auth.config that lets it in.
// The file holds only the hash, so the credential is printed once and nowhere kept.
import { randomBytes } from 'node:crypto';
import { StoreError } from '../base/errors.ts';
import { hashPassword, hashSecret } from '../base/password-hash.ts';
import { SCOPES } from '../trace/principal.ts';
import { parseTenant } from '../trace/tenant.ts';
import { EXIT_OK, type Terminal } from './terminal.ts';

/** Makes it easy to find in a log or a repository where it should not be. */
const TOKEN_PREFIX = 'tlt_';
const TOKEN_BYTES = 32;
/** 120 bits; people have to type it. */
const PASSWORD_BYTES = 15;
const DAY_MS = 86_400_000;
const DAYS_MAX = 36_500;

/** Prints a new bearer token and its entry. Throws CONFIG for arguments that make no entry. */
export function makeToken(args: readonly string[], terminal: Terminal, now: () => number = Date.now): number {
  const { name, granted } = readArguments(args, now());
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  const entry = { name, sha256: hashSecret(token).toString('hex'), ...granted };
  return print(terminal, { what: 'token', secret: token, list: 'tokens', entry });
}

/** Prints a new password and its user's entry. Throws CONFIG for arguments that make no entry. */
export function makePassword(args: readonly string[], terminal: Terminal, now: () => number = Date.now): number {
  const { name, granted } = readArguments(args, now());
  if (name.includes(':')) throw new StoreError('CONFIG', 'the name of a user has no colon');
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const entry = { name, password: hashPassword(password), ...granted };
  return print(terminal, { what: 'password', secret: password, list: 'users', entry });
}

function print(
  terminal: Terminal,
  made: { readonly what: string; readonly secret: string; readonly list: string; readonly entry: object },
): number {
  terminal.out(`${made.what}, shown only now:\n${made.secret}\n`);
  terminal.out(`entry for "${made.list}" in the file of -auth.config:\n${JSON.stringify(made.entry)}\n`);
  return EXIT_OK;
}

interface Granted {
  readonly scopes: readonly string[];
  readonly tenants: readonly string[];
  readonly expires?: string;
}

function readArguments(args: readonly string[], nowMs: number): { readonly name: string; readonly granted: Granted } {
  const names = args.filter((arg) => !arg.startsWith('-'));
  const [name] = names;
  if (name === undefined || names.length > 1) throw new StoreError('CONFIG', 'expected one name, of who will use it');
  const options = new Map<string, string>([
    ['scopes', 'ingest'],
    ['tenants', '0:0'],
    ['days', ''],
  ]);
  for (const arg of args.filter((other) => other.startsWith('-'))) {
    const [, option = '', value = ''] = /^--?(\w+)=(.+)$/.exec(arg) ?? [];
    if (!options.has(option)) throw new StoreError('CONFIG', `${arg}: expected -scopes=…, -tenants=… or -days=…`);
    options.set(option, value);
  }
  const [scopes, tenants] = ['scopes', 'tenants'].map((option) => options.get(option)!.split(','));
  const unknown = scopes!.find((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown !== undefined)
    throw new StoreError('CONFIG', `-scopes: expected of ${SCOPES.join(', ')}, got "${unknown}"`);
  for (const tenant of tenants!.filter((one) => one !== '*')) checkTenant(tenant);
  const days = options.get('days')!;
  if (days === '') return { name, granted: { scopes: scopes!, tenants: tenants! } };
  const isDays = /^\d+$/.test(days) && Number(days) >= 1 && Number(days) <= DAYS_MAX;
  if (!isDays) throw new StoreError('CONFIG', `-days: expected a number from 1 to ${DAYS_MAX}, got "${days}"`);
  const expires = new Date(nowMs + Number(days) * DAY_MS).toISOString();
  return { name, granted: { scopes: scopes!, tenants: tenants!, expires } };
}

function checkTenant(tenant: string): void {
  const [, account, project] = /^(\d+)(?::(\d+))?$/.exec(tenant) ?? [];
  if (account === undefined) throw new StoreError('CONFIG', `-tenants: expected ACCOUNT:PROJECT or *, got "${tenant}"`);
  try {
    parseTenant(account, project);
  } catch (cause) {
    throw new StoreError('CONFIG', `-tenants: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
