// What the server tells the first page: the answer of GET /ui/status.json. Types alone, for both sides.

export interface HomeStatus {
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Why spans or queries are refused now, for people; undefined: they are not. */
  readonly refusal?: string | undefined;
  /** Of all tenants, so only for a login that may operate the node (scope admin). */
  readonly store?:
    | {
        readonly bytes: number;
        readonly freeDiskBytes: number;
        readonly totalDiskBytes: number;
        /** Spans accepted and refused since the start, of all tenants. */
        readonly storedSpans: number;
        readonly rejectedSpans: number;
        readonly tenants: number;
        readonly losses: number;
      }
    | undefined;
  /** More than one tenant can be shown. */
  readonly hasTenants: boolean;
  /** Where each listener listens, as host:port, by the name in the ready line; those for operators and other nodes only for the scope admin. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Flags that are set, secrets masked; undefined: a key or the scope admin protects them. */
  readonly flags: readonly { readonly name: string; readonly value: string }[] | undefined;
  readonly hasJaegerUi: boolean;
  /** Of all tenants; undefined: traces are stored elsewhere, or only the scope admin may see them. */
  readonly days: readonly HomeDay[] | undefined;
  /** Of the tenant that the request names, 0:0 without one. */
  readonly services: readonly HomeService[];
  /** Damage that the counts may lack, a line each. */
  readonly warnings: readonly string[];
  readonly endpoints: readonly HomeEndpoint[];
}

export interface HomeDay {
  /** YYYYMMDD */
  readonly name: string;
  readonly state: string;
  readonly spans: number;
  readonly bytes: number;
  /** ms since the epoch */
  readonly newestMs?: number | undefined;
}

export interface HomeService {
  readonly service: string;
  /** Empty where nothing is counted. */
  readonly days: readonly {
    readonly day: string;
    readonly spans: number;
    readonly errors: number;
    /** The minute of the newest span, ms since the epoch. */
    readonly newestMs: number;
  }[];
}

export interface HomeEndpoint {
  readonly group: string;
  readonly method: string;
  /** Below the page's mount, without a slash at its beginning. */
  readonly path: string;
  readonly meaning: string;
  /** A GET without parameters leads to an answer. */
  readonly isLink: boolean;
}
