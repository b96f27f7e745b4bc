// What is stored, in numbers: the port behind the first page. A node with its own store implements it.
import type { CallContext } from './call-context.ts';
import type { DayState, Marked } from './store.ts';

/** What is stored of one UTC day, of all tenants. */
export interface StoredDay {
  /** YYYYMMDD */
  readonly name: string;
  readonly state: DayState;
  /** Spans in parts and in the log, duplicates that no merge has removed yet included; 0 unless the day is open. */
  readonly spans: number;
  readonly bytes: number;
  /** Start of its newest span, ms since the epoch; undefined: it has none, or is not open. */
  readonly newestMs: number | undefined;
}

/** Spans of one service that started on one UTC day; a span that was sent repeatedly counts once. */
export interface CountedDay {
  /** YYYYMMDD */
  readonly day: string;
  readonly spans: number;
  /** Those of them with the status ERROR. */
  readonly errors: number;
  /** The minute in which the newest of them started, ms since the epoch. */
  readonly newestMs: number;
}

export interface CountedService {
  readonly service: string;
  /** By day; only days with spans. */
  readonly days: readonly CountedDay[];
}

export interface CountedServices extends Marked {
  /** In byte order of their names. */
  readonly services: readonly CountedService[];
}

export interface StoreInventory {
  /** By day. */
  listDays(): Promise<StoredDay[]>;
  /** Counts over everything that is stored of the tenant, from the roll-ups. */
  countServices(call: CallContext): Promise<CountedServices>;
}
