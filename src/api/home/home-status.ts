// What the first page shows of the running node: state, days, services. Counting services reads every roll-up, so an answer is
// reused for twenty times as long as it took, 15 s at most: open pages cost a query thread a twentieth of its time. What is of the
// whole node (flags, days and figures of all tenants) is for the scope admin alone, as in /flags and /metrics.
import { isStoreError } from '../../base/errors.ts';
import type { StoreInventory } from '../../trace/inventory.ts';
import type { StoreAdmin, StoreStats, TraceReader } from '../../trace/store.ts';
import type { Principal } from '../../trace/principal.ts';
import type { Tenant } from '../../trace/tenant.ts';
import type { HomeEndpoint, HomeService, HomeStatus } from '../../ui/home-status.ts';
import type { Readiness } from '../edge/readiness.ts';
import { ENDPOINTS } from './endpoints.ts';

export interface HomeStatusOptions {
  /** undefined: the node stores nothing, as a select node. */
  readonly admin: Pick<StoreAdmin, 'stats'> | undefined;
  readonly reader: Pick<TraceReader, 'listServices'>;
  /** undefined: traces are stored elsewhere, and only names of services are known. */
  readonly inventory: StoreInventory | undefined;
  readonly readiness: Pick<Readiness, 'refusalOf'>;
  readonly version: string;
  readonly addresses: () => Readonly<Record<string, string>>;
  /** False: the figures and paths for operators are on another listener. */
  readonly isForOperators?: boolean;
  /** What the listener serves; default: everything. */
  readonly endpoints?: readonly HomeEndpoint[];
  readonly config: {
    readonly flagsAuthKey: string;
    readonly shownFlags: readonly { readonly name: string; readonly value: string; readonly isSet: boolean }[];
    readonly jaegerUiDir: string;
  };
}

interface Counted {
  readonly services: readonly HomeService[];
  readonly warnings: readonly string[];
}

interface Remembered {
  readonly counted: Promise<Counted>;
  /** performance.now(); Infinity while it is being counted. */
  staleMs: number;
}

const COST_FACTOR = 20;
/** The first count starts a thread, which says nothing of the next. */
const KEPT_MS_MAX = 15_000;
/** Tenants whose counts are remembered; with more, all are forgotten. */
const TENANTS_MAX = 100;

/** Without the listeners that are for operators and for the nodes of a cluster: where they are is not for everybody. */
function withoutOperators(addresses: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(addresses).filter(([name]) => name !== 'admin' && name !== 'storage'));
}

export class HomeStatusReader {
  readonly #options: HomeStatusOptions;
  readonly #remembered = new Map<Tenant, Remembered>();

  constructor(options: HomeStatusOptions) {
    this.#options = options;
  }

  /** What `principal` may see of the node and of `tenant`. Throws what the store throws. */
  async read(tenant: Tenant, { scopes, tenants }: Pick<Principal, 'scopes' | 'tenants'>): Promise<HomeStatus> {
    const { admin, inventory, readiness, version, addresses, config, isForOperators = true } = this.#options;
    const mayOperate = isForOperators && scopes.has('admin');
    const [stats, days, counted, refusal] = await Promise.all([
      admin?.stats(),
      mayOperate ? inventory?.listDays() : undefined,
      this.#count(tenant),
      readiness.refusalOf(['insert', 'select']),
    ]);
    return {
      version,
      uptimeSeconds: Math.floor(process.uptime()),
      refusal,
      store: mayOperate && stats !== undefined ? storeFigures(stats) : undefined,
      // A node that stores nothing does not know how many there are.
      hasTenants: (stats === undefined || stats.tenants > 1) && tenants?.size !== 1,
      addresses: mayOperate ? addresses() : withoutOperators(addresses()),
      flags:
        mayOperate && config.flagsAuthKey === ''
          ? config.shownFlags.filter(({ isSet }) => isSet).map(nameAndValue)
          : undefined,
      hasJaegerUi: config.jaegerUiDir !== '',
      days,
      ...counted,
      endpoints: this.#options.endpoints ?? ENDPOINTS,
    };
  }

  #count(tenant: Tenant): Promise<Counted> {
    const known = this.#remembered.get(tenant);
    const startMs = performance.now();
    if (known !== undefined && startMs < known.staleMs) return known.counted;
    if (this.#remembered.size >= TENANTS_MAX) this.#remembered.clear();
    const remembered: Remembered = { counted: this.#ask(tenant), staleMs: Infinity };
    this.#remembered.set(tenant, remembered);
    remembered.counted.then(
      ({ services }) => {
        const endMs = performance.now();
        const keptMs = Math.min(COST_FACTOR * (endMs - startMs), KEPT_MS_MAX);
        // Whoever waits for the first span sees it at once.
        remembered.staleMs = services.length === 0 ? endMs : endMs + keptMs;
      },
      () => this.#remembered.delete(tenant),
    );
    return remembered.counted;
  }

  async #ask(tenant: Tenant): Promise<Counted> {
    const { inventory, reader } = this.#options;
    if (inventory !== undefined) return inventory.countServices({ tenant });
    try {
      const { items, warnings } = await reader.listServices({ tenant });
      return { services: items.map((service) => ({ service, days: [] })), warnings };
    } catch (error) {
      // No storage node answers: the page shows the rest, and says so.
      if (!isStoreError(error, 'UNAVAILABLE')) throw error;
      return { services: [], warnings: [error.message] };
    }
  }
}

function storeFigures(stats: StoreStats): HomeStatus['store'] {
  return {
    bytes: stats.diskBytes,
    freeDiskBytes: stats.freeDiskBytes,
    totalDiskBytes: stats.totalDiskBytes,
    storedSpans: stats.rowsStored,
    rejectedSpans: Object.values(stats.rowsRejected).reduce((sum, count) => sum + count, 0),
    tenants: stats.tenants,
    losses: stats.losses,
  };
}

function nameAndValue({ name, value }: { readonly name: string; readonly value: string }) {
  return { name, value };
}
