// The `odd` profile: what is legal and nearly nobody sends, in every span. Names and keys that never repeat, every value type OTLP has,
// empty and duplicate keys, orphans, children before their parents, links, odd kinds and flags. For correctness, not for densities.
import { oddAttributes } from './odd-values.ts';
import type { Attribute, GeneratedResource, GeneratedScope, GeneratedSpan, Profile } from './model.ts';
import { exportIntervalNs } from './model.ts';
import type { Rng } from './rng.ts';
import { TraceBuilder } from './trace-builder.ts';

const servicesCount = 40;

export function oddProfile(rng: Rng, instances: number): Profile {
  const resources: GeneratedResource[] = [];
  for (let i = 0; i < servicesCount * instances; i++) resources.push(oddResource(rng, i % servicesCount));
  const scopes = Array.from({ length: 60 }, (_, i) => oddScope(rng, i));
  const recent: GeneratedSpan[] = [];
  return {
    resources,
    trace(startNs: number): GeneratedSpan[] {
      const spans = oddTrace(rng, { resources, scopes, startNs, recent });
      const last = spans.at(-1);
      if (last !== undefined) recent.push(last);
      if (recent.length > 100) recent.shift();
      return spans;
    },
  };
}

function oddResource(rng: Rng, service: number): GeneratedResource {
  const attributes: Attribute[] = [
    ['service.name', `svc-${service}`],
    ['service.instance.id', rng.uuid()],
    ...oddAttributes(rng, rng.int(12)),
  ];
  const base = { attributes, exportPhaseNs: rng.int(exportIntervalNs), clockSkewNs: 0 };
  return rng.chance(0.3) ? { ...base, schemaUrl: `https://opentelemetry.io/schemas/1.${rng.int(40)}.0` } : base;
}

function oddScope(rng: Rng, index: number): GeneratedScope {
  const scope: GeneratedScope = {
    name: index === 0 ? '' : `scope-${index}`,
    version: rng.chance(0.3) ? '' : `0.${rng.int(99)}.${rng.int(9)}`,
  };
  if (rng.chance(0.5)) return scope;
  return {
    ...scope,
    attributes: oddAttributes(rng, 1 + rng.int(3)),
    schemaUrl: rng.chance(0.5) ? 'https://example.com/schema/1' : '',
  };
}

interface OddTrace {
  readonly resources: readonly GeneratedResource[];
  readonly scopes: readonly GeneratedScope[];
  readonly startNs: number;
  /** Last spans of earlier traces, the targets of links. */
  readonly recent: readonly GeneratedSpan[];
}

function oddTrace(rng: Rng, { resources, scopes, startNs, recent }: OddTrace): GeneratedSpan[] {
  const builder = new TraceBuilder(rng, resources, startNs);
  const size = Math.min(500, Math.max(1, Math.floor(rng.logNormal(2.3, 1.2))));
  for (let i = 0; i < size; i++) {
    const span = builder.add({
      resource: rng.int(resources.length),
      scope: rng.pick(scopes),
      parent: i === 0 || rng.chance(0.02) ? undefined : rng.pick(builder.spans),
      name: spanName(rng),
      kind: rng.chance(0.01) ? 6 + rng.int(100) : rng.int(6),
      offsetUs: rng.int(20_000) - 2_000,
      durationUs: rng.logNormal(7, 2),
      attributes: oddAttributes(rng, rng.chance(0.01) ? 60 + rng.int(60) : rng.int(18)),
      error: rng.chance(0.05) ? `E${rng.int(1e6)}: ${rng.hex(20)}` : '',
    });
    if (rng.chance(0.02)) span.endNs = span.startNs;
    disturb(rng, span, recent);
  }
  // Orphans: a parent that never arrives.
  return builder.spans.filter((_, i) => i === 0 || !rng.chance(0.02));
}

function spanName(rng: Rng): string {
  switch (rng.int(6)) {
    case 0:
      return `GET /users/${rng.int(1e6)}/orders/${rng.uuid()}`;
    case 1:
      return `SELECT * FROM t_${rng.zipf(2000)} WHERE id = ${rng.int(1e9)}`;
    case 2:
      return `обработка-заказа ${rng.zipf(50)} ✓`;
    case 3:
      return rng.chance(0.1) ? '' : `job ${rng.hex(8)}`;
    default:
      return `operation-${rng.zipf(5000)}`;
  }
}

/** Whatever a span may carry beside attributes: links, events, states, flags, dropped counts. */
export function disturb(rng: Rng, span: GeneratedSpan, recent: readonly GeneratedSpan[]): void {
  if (rng.chance(0.05) && recent.length > 0) {
    const { traceId, spanId } = rng.pick(recent);
    span.links.push({
      traceId,
      spanId,
      attributes: oddAttributes(rng, rng.int(3)),
      flags: rng.int(2),
      traceState: rng.chance(0.5) ? 'vendor=1' : '',
    });
  }
  if (rng.chance(0.2))
    span.events.push({
      timeNs: span.startNs + rng.int(1e6),
      name: rng.chance(0.1) ? '' : `event-${rng.zipf(300)}`,
      attributes: oddAttributes(rng, rng.int(6)),
      droppedAttributes: rng.chance(0.1) ? rng.int(9) : 0,
    });
  if (rng.chance(0.1)) span.traceState = `rojo=${rng.hex(16)},congo=t${rng.int(1000)}`;
  if (rng.chance(0.1)) span.flags = rng.uint32() & 0x3ff;
  if (rng.chance(0.05)) span.dropped = [rng.int(10), rng.int(3), rng.int(3)];
  if (rng.chance(0.1)) span.statusCode = 1;
}
