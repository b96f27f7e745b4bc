// What a profile produces before it becomes OTLP bytes. Times are nanoseconds since the run's start (a number: exact for
// 104 days either way); encode.ts adds the absolute start. `sendNs` is when the span's exporter would send it.

/** An OTLP AnyValue. A plain number is an int64; null is an AnyValue with nothing set. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | { readonly double: number }
  | { readonly int64: bigint }
  | { readonly bytes: Uint8Array }
  | { readonly kvlist: Attributes }
  | readonly AttributeValue[];

export type Attribute = readonly [key: string, value: AttributeValue];
export type Attributes = readonly Attribute[];

export const KIND_INTERNAL = 1;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_PRODUCER = 4;
export const KIND_CONSUMER = 5;

export interface GeneratedScope {
  readonly name: string;
  readonly version: string;
  readonly attributes?: Attributes;
  readonly schemaUrl?: string;
}

/** One process that emits spans. Its exporter sends at exportPhaseNs + k * exportIntervalNs. */
export interface GeneratedResource {
  readonly attributes: Attributes;
  readonly schemaUrl?: string;
  readonly exportPhaseNs: number;
  /** How far this process's clock is off; applied by the late profile only. */
  readonly clockSkewNs: number;
}

export interface GeneratedEvent {
  timeNs: number;
  readonly name: string;
  readonly attributes: Attributes;
  readonly droppedAttributes?: number;
}

export interface GeneratedLink {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly traceState?: string;
  readonly attributes: Attributes;
  readonly flags?: number;
}

export interface GeneratedSpan {
  /** Index into the profile's resources. */
  readonly resource: number;
  readonly scope: GeneratedScope;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array | undefined;
  readonly name: string;
  readonly kind: number;
  startNs: number;
  endNs: number;
  sendNs: number;
  readonly attributes: Attribute[];
  readonly events: GeneratedEvent[];
  readonly links: GeneratedLink[];
  statusCode: number;
  statusMessage: string;
  traceState: string;
  flags: number;
  /** dropped_attributes_count, dropped_events_count, dropped_links_count; usually all zero. */
  dropped: readonly [attributes: number, events: number, links: number];
}

/** A kind of traffic. Profiles draw from one seeded source, so the order of calls is part of the result. */
export interface Profile {
  readonly resources: readonly GeneratedResource[];
  /** One trace that starts at `startNs`; `spansLeft` lets a profile of huge traces stay near the run's size. */
  trace(startNs: number, spansLeft: number): GeneratedSpan[];
}

// SDKs send every 5 s or 512 spans, whichever is first; a busy service is at about one second.
export const exportIntervalNs = 1e9;

/** When the exporter of `resource` sends a span that ended at `endNs`. */
export function sendTimeNs(resource: GeneratedResource, endNs: number): number {
  const ticks = Math.ceil((endNs - resource.exportPhaseNs) / exportIntervalNs);
  return ticks * exportIntervalNs + resource.exportPhaseNs;
}
