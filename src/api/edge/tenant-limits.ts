// What each tenant may send, store and ask at a time, and how long it keeps its spans, by the file of -tenants.config, which is taken up again when it changes. Rates are
// kept over a few seconds: a tenant that has sent more than its rate is told to come back, and comes back when it has paid.
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { watchFiles } from '../../disk/watched-files.ts';
import { parseTenant, type Tenant } from '../../trace/tenant.ts';

/** Infinity: no limit. */
export interface Limits {
  readonly spansPerSecond: number;
  readonly bytesPerSecond: number;
  /** Bytes in parts and logs, as last counted (stored-bytes.ts). */
  readonly storedBytes: number;
  readonly queriesAtOnce: number;
  /** Stored bytes that one query may read. */
  readonly queryBytes: number;
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
  storedBytes: Infinity,
  queriesAtOnce: Infinity,
  queryBytes: Infinity,
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
  readonly #listeners: (() => void)[] = [];
  #stored: ReadonlyMap<Tenant, number> = new Map();
  /** Called when a request is refused for a limit. */
  onRefuse: (tenant: Tenant, limit: keyof Limits) => void = () => undefined;
  /** Used longest ago first. */
  readonly #balances = new Map<Tenant, Balance>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  configure(config: TenantsConfig): void {
    this.#config = config;
    this.#balances.clear();
    for (const tell of this.#listeners) tell();
  }

  /** `listener` is called when the limits have changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Whether any tenant may store only so many bytes. */
  get hasStoredLimits(): boolean {
    const { defaults, byTenant } = this.#config;
    return [defaults, ...byTenant.values()].some(({ storedBytes }) => storedBytes !== Infinity);
  }

  /** Takes over what is stored by tenant; returns those that may store no more. */
  countStored(stored: ReadonlyMap<Tenant, number>): Tenant[] {
    this.#stored = stored;
    return [...stored.keys()].filter((tenant) => this.#isFull(tenant));
  }

  #isFull(tenant: Tenant): boolean {
    return (this.#stored.get(tenant) ?? 0) >= this.of(tenant).storedBytes;
  }

  /** Throws TENANT_LIMIT while the tenant stores as much as it may. */
  assertRoom(tenant: Tenant): void {
    if (!this.#isFull(tenant)) return;
    const stores = `tenant ${tenant} stores ${this.#stored.get(tenant)} bytes`;
    this.#refuse(tenant, 'storedBytes', `${stores}, which storedBytes=${this.of(tenant).storedBytes} does not allow`);
  }

  #refuse(tenant: Tenant, limit: keyof Limits, what: string): never {
    this.onRefuse(tenant, limit);
    const remedy = limit === 'storedBytes' ? 'delete spans, wait until days go, or raise it' : 'try again';
    throw new StoreError('TENANT_LIMIT', `${what} (-tenants.config); ${remedy}`);
  }

  of(tenant: Tenant): Limits {
    return this.#config.byTenant.get(tenant) ?? this.#config.defaults;
  }

  /** Throws TENANT_LIMIT while the tenant has sent more than its rates allow. */
  admit(tenant: Tenant): void {
    const { spansPerSecond, bytesPerSecond } = this.of(tenant);
    if (spansPerSecond === Infinity && bytesPerSecond === Infinity) return;
    const { spans, bytes } = this.#balanceOf(tenant);
    const name = spans <= 0 ? 'spansPerSecond' : bytes <= 0 ? 'bytesPerSecond' : undefined;
    if (name === undefined) return;
    this.#refuse(tenant, name, `tenant ${tenant} sends more than ${name}=${this.of(tenant)[name]}`);
  }

  /** Call when a request was admitted and its size is known. It may be larger than what is left: the next ones wait. */
  charge(tenant: Tenant, { spans, bytes }: { readonly spans: number; readonly bytes: number }): void {
    const { spansPerSecond, bytesPerSecond } = this.of(tenant);
    if (spansPerSecond === Infinity && bytesPerSecond === Infinity) return;
    // A balance that is not a number never runs out.
    assert(spans >= 0 && bytes >= 0, `a request of ${spans} spans and ${bytes} bytes`);
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
    assert(seconds >= 0, `a monotonic clock that has gone back ${-seconds} s`);
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
