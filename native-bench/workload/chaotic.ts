// The `chaotic` profile: the adversary of densities. What is typical is the size; what never repeats is the structure: random call trees
// over 600 operations, for every span another 8 to 12 of 178 attribute keys, values of high cardinality. Every 67th span is odd (odd.ts).
import type { Caller } from './chaotic-values.ts';
import { drawCaller, drawValue } from './chaotic-values.ts';
import type { Attribute, GeneratedResource, GeneratedScope, GeneratedSpan, Profile } from './model.ts';
import { exportIntervalNs, KIND_CLIENT, KIND_CONSUMER, KIND_INTERNAL, KIND_PRODUCER, KIND_SERVER } from './model.ts';
import { disturb } from './odd.ts';
import { oddAttributes } from './odd-values.ts';
import type { Rng } from './rng.ts';
import { TraceBuilder } from './trace-builder.ts';
import type { ValueKind, Vocabulary } from './vocabulary.ts';
import { anywhere, domains } from './vocabulary.ts';

const servicesCount = 40;
const operationsPerService = 15;
const traceSpansMax = 500;
// Sessions of several visitors are open at once.
const callersOpen = 50;

interface Operation {
  readonly service: number;
  readonly scope: GeneratedScope;
  readonly name: string;
  readonly kind: number;
  readonly keys: readonly Key[];
}

type Key = readonly [name: string, kind: ValueKind];

interface Chaos {
  readonly resources: readonly GeneratedResource[];
  readonly operations: readonly Operation[];
  readonly instances: number;
  /** Last spans of earlier traces, the targets of links. */
  readonly recent: GeneratedSpan[];
  readonly callers: (Caller | undefined)[];
}

const libraries = ['http', 'pg', 'kafkajs', 'grpc', 'aws-sdk'];
const spanKinds = [KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CLIENT, KIND_INTERNAL, KIND_CONSUMER];
const commonKeys: readonly Key[] = keysOf(anywhere);

export function chaoticProfile(rng: Rng, instances: number): Profile {
  const resources: GeneratedResource[] = [];
  for (let i = 0; i < servicesCount * instances; i++) resources.push(process(rng, i % servicesCount));
  const scopes = libraries.map((name) => ({
    name: `@opentelemetry/instrumentation-${name}`,
    version: `0.2${rng.int(9)}.0`,
  }));
  const operations = Array.from({ length: servicesCount * operationsPerService }, (_, i) =>
    operation(rng, i % servicesCount, scopes),
  );
  const chaos: Chaos = { resources, operations, instances, recent: [], callers: Array.from({ length: callersOpen }) };
  return { resources, trace: (startNs) => chaoticTrace(rng, chaos, startNs) };
}

function process(rng: Rng, service: number): GeneratedResource {
  const pod = `svc-${service}-${rng.hex(9)}-${rng.hex(5)}`;
  const attributes: Attribute[] = [
    ['service.name', `svc-${service}`],
    ['service.namespace', 'shop'],
    ['service.version', `1.${rng.int(20)}.${rng.int(10)}`],
    ['service.instance.id', rng.uuid()],
    ['k8s.namespace.name', 'prod'],
    ['k8s.pod.name', pod],
    ['k8s.pod.uid', rng.uuid()],
    ['k8s.node.name', `node-${rng.int(30)}`],
    ['telemetry.sdk.language', 'nodejs'],
    ['process.pid', 1 + rng.int(60)],
  ];
  return { attributes, exportPhaseNs: rng.int(exportIntervalNs), clockSkewNs: 0 };
}

function operation(rng: Rng, service: number, scopes: readonly GeneratedScope[]): Operation {
  const domain = rng.int(domains.length);
  return {
    service,
    scope: scopes[domain] ?? rng.pick(scopes),
    name: `${rng.pick(['GET', 'POST', 'call', 'run', 'send', 'fetch'])} /${rng.hex(4)}/${rng.pick(['list', 'detail', 'state', 'batch'])}`,
    kind: rng.pick(spanKinds),
    keys: keysOf(domains[domain] ?? {}),
  };
}

function chaoticTrace(rng: Rng, chaos: Chaos, startNs: number): GeneratedSpan[] {
  const { resources, operations, instances, recent, callers } = chaos;
  const builder = new TraceBuilder(rng, resources, startNs);
  const size = Math.min(traceSpansMax, Math.max(1, Math.floor(rng.logNormal(2.3, 1.2))));
  const seat = rng.int(callersOpen);
  const caller = drawCaller(rng, callers[seat]);
  callers[seat] = caller;
  for (let i = 0; i < size; i++) {
    const isOdd = rng.chance(0.015);
    const { service, scope, name, kind, keys } = rng.pick(operations);
    const parent = i === 0 ? undefined : rng.pick(builder.spans);
    const span = builder.add({
      resource: rng.int(instances) * servicesCount + service,
      scope,
      parent,
      name: isOdd ? `GET /users/${rng.int(1e6)}/orders/${rng.uuid()}` : name,
      kind: isOdd && rng.chance(0.1) ? 6 + rng.int(100) : kind,
      offsetUs: rng.int(parent === undefined ? 1000 : Math.max(1, (parent.endNs - parent.startNs) / 1000)),
      durationUs: rng.logNormal(7, 2),
      attributes: isOdd ? oddAttributes(rng, rng.int(18)) : attributesOf(rng, keys, caller),
      error: rng.chance(0.015) ? `E${rng.int(1e6)}: ${rng.hex(20)}` : '',
    });
    if (isOdd) disturb(rng, span, recent);
    else if (rng.chance(0.2)) addEvent(rng, span, caller);
    if (rng.chance(0.01)) addLink(rng, span, recent);
  }
  remember(recent, builder.spans.at(-1));
  // Orphans: a parent that never arrives.
  return builder.spans.filter((_, i) => i === 0 || !rng.chance(0.005));
}

/** Eight to twelve keys, no two alike: half of the operation's kind of work, half of any. */
function attributesOf(rng: Rng, keys: readonly Key[], caller: Caller): Attribute[] {
  const count = 8 + rng.int(5);
  const chosen = new Map<string, ValueKind>();
  while (chosen.size < count) {
    const [name, kind] = rng.pick(chosen.size % 2 === 0 ? keys : commonKeys);
    chosen.set(name, kind);
  }
  return Array.from(chosen, ([name, kind]): Attribute => [name, drawValue(rng, kind, caller)]);
}

function addEvent(rng: Rng, span: GeneratedSpan, caller: Caller): void {
  const [name, kind] = rng.pick(commonKeys);
  span.events.push({
    timeNs: span.startNs + rng.int(Math.max(1, span.endNs - span.startNs)),
    name: `event-${rng.zipf(100)}`,
    attributes: [[name, drawValue(rng, kind, caller)]],
  });
}

function addLink(rng: Rng, span: GeneratedSpan, recent: readonly GeneratedSpan[]): void {
  if (recent.length === 0) return;
  const { traceId, spanId } = rng.pick(recent);
  span.links.push({ traceId, spanId, attributes: [] });
}

function remember(recent: GeneratedSpan[], span: GeneratedSpan | undefined): void {
  if (span !== undefined) recent.push(span);
  if (recent.length > 100) recent.shift();
}

function keysOf(vocabulary: Vocabulary): Key[] {
  return Object.entries(vocabulary);
}
