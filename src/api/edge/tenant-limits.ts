// What each tenant may send and ask at a time, and how long it keeps its spans, by the file of -tenants.config, which is taken up again when it changes. Rates are
// kept over a few seconds: a tenant that has sent more than its rate is told to come back, and comes back when it has paid.
import { StoreError } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { watchFiles } from '../../disk/watched-files.ts';
import { parseTenant, type Tenant } from '../../trace/tenant.ts';

/** Infinity: no limit. */
export interface Limits {
  readonly spansPerSecond: number;
  readonly bytesPerSecond: number;
  readonly queriesAtOnce: number;
  /** Whole days that are older go (deletion/tenant-retention.ts), if the node keeps spans for longer. */
  readonly retentionDays: number;
}

export interface TenantsConfig {
  readonly defaults: Limits;
  readonly byTenant: ReadonlyMap<Tenant, Limits>;
}

export const NO_LIMITS: Limits = {
  spansPerSecond: Infinity,
  bytesPerSecond: Infinity,
  queriesAtOnce: Infinity,
  retentionDays: Infinity,
};
const LIMIT_NAMES = Object.keys(NO_LIMITS) as (keyof Limits)[];
/** A tenant may use so many seconds of its rate at once: exporters send every few seconds. */
const BURST_SECONDS = 5;
/** Tenants whose balance is remembered; further ones begin with a full one. */
const BALANCES_MAX = 10_000;

/** Throws CONFIG with the place of the first mistake: `tenants.7:0.spansPerSecond: expected …`. */
export function parseTenantsConfig(text: string): TenantsConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new StoreError('CONFIG', `expected JSON: ${String(cause)}`, { cause });
  }
  const { defaults: all = {}, tenants = {} } = objectAt(json, 'the file', ['defaults', 'tenants']);
  const defaults = limitsAt(all, 'defaults', NO_LIMITS);
  const byTenant = new Map<Tenant, Limits>();
  for (const [name, own] of Object.entries(objectAt(tenants, 'tenants'))) {
    const [, account, project] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(name) ?? [];
    if (account === undefined) throw new StoreError('CONFIG', `tenants.${name.slice(0, 40)}: expected ACCOUNT:PROJECT`);
    byTenant.set(parseTenant(account, project), limitsAt(own, `tenants.${name}`, defaults));
  }
  return { defaults, byTenant };
}

function limitsAt(value: unknown, place: string, base: Limits): Limits {
  const given = objectAt(value, place, LIMIT_NAMES);
  for (const [name, limit] of Object.entries(given)) {
    if (!(typeof limit === 'number' && limit > 0)) {
      throw new StoreError('CONFIG', `${place}.${name}: expected a number above 0; leave it out for no limit`);
    }
  }
  return { ...base, ...given };
}

function objectAt(value: unknown, place: string, known?: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StoreError('CONFIG', `${place}: expected an object`);
  const unknown = Object.keys(value).find((key) => known?.includes(key) === false);
  if (unknown === undefined) return value as Record<string, unknown>;
  throw new StoreError('CONFIG', `${place}: ${unknown.slice(0, 40)} is not one of ${known!.join(', ')}`);
}

/** What a tenant has left of its rates, and when that was counted. */
interface Balance {
  spans: number;
  bytes: number;
  atMs: number;
}

export class TenantLimits {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #config: TenantsConfig = { defaults: NO_LIMITS, byTenant: new Map() };
  /** Called when the limits have changed. */
  onChange: () => void = () => undefined;
  /** Used longest ago first. */
  readonly #balances = new Map<Tenant, Balance>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  configure(config: TenantsConfig): void {
    this.#config = config;
    this.#balances.clear();
    this.onChange();
  }

  of(tenant: Tenant): Limits {
    return this.#config.byTenant.get(tenant) ?? this.#config.defaults;
  }

  /** Throws OVERLOADED while the tenant has sent more than its rates allow. */
  admit(tenant: Tenant): void {
    const { spansPerSecond, bytesPerSecond } = this.of(tenant);
    if (spansPerSecond === Infinity && bytesPerSecond === Infinity) return;
    const { spans, bytes } = this.#balanceOf(tenant);
    const [name, rate] =
      spans <= 0 ? ['spansPerSecond', spansPerSecond] : bytes <= 0 ? ['bytesPerSecond', bytesPerSecond] : ['', 0];
    if (name === '') return;
    throw new StoreError('OVERLOADED', `tenant ${tenant} sends more than ${name}=${rate} (-tenants.config); try again`);
  }

  /** Call when a request was admitted and its size is known. It may be larger than what is left: the next ones wait. */
  charge(tenant: Tenant, { spans, bytes }: { readonly spans: number; readonly bytes: number }): void {
    const { spansPerSecond, bytesPerSecond } = this.of(tenant);
    if (spansPerSecond === Infinity && bytesPerSecond === Infinity) return;
    const balance = this.#balanceOf(tenant);
    balance.spans -= spans;
    balance.bytes -= bytes;
  }

  #balanceOf(tenant: Tenant): Balance {
    const { spansPerSecond, bytesPerSecond } = this.of(tenant);
    const nowMs = this.#clock.monotonicMs();
    const full = { spans: spansPerSecond * BURST_SECONDS, bytes: bytesPerSecond * BURST_SECONDS };
    const balance = this.#balances.get(tenant) ?? { ...full, atMs: nowMs };
    const seconds = (nowMs - balance.atMs) / 1_000;
    balance.spans = Math.min(full.spans, balance.spans + seconds * spansPerSecond);
    balance.bytes = Math.min(full.bytes, balance.bytes + seconds * bytesPerSecond);
    balance.atMs = nowMs;
    this.#balances.delete(tenant);
    this.#balances.set(tenant, balance);
    const [oldest] = this.#balances.size > BALANCES_MAX ? this.#balances.keys() : [];
    if (oldest !== undefined) this.#balances.delete(oldest);
    return balance;
  }
}

export interface OpenedLimits extends Disposable {
  readonly limits: TenantLimits;
}

/** The limits of the file at `path`; '' for none. Throws CONFIG for a file that cannot be read or parsed. */
export function openTenantLimits(path: string, clock: Clock, logger: Logger): OpenedLimits {
  const limits = new TenantLimits(clock);
  if (path === '') return { limits, [Symbol.dispose]: () => undefined };
  try {
    const watch = watchFiles({
      paths: [path],
      onChange: ([text = '']) => {
        const config = parseTenantsConfig(text);
        limits.configure(config);
        logger.info('the limits of tenants were read', { path, tenants: config.byTenant.size });
      },
      onError: (error) =>
        logger.error('the limits of tenants cannot be read; those before stay in force', { path, error }),
    });
    return { limits, [Symbol.dispose]: () => watch[Symbol.dispose]() };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('CONFIG', `-tenants.config=${path}: ${reason}`, { cause });
  }
}
