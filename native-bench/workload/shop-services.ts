// The processes of the shop: 16 services in several languages, a few instances each, with the resource attributes their
// OpenTelemetry SDKs and a Kubernetes attributes processor put on every request.
import type { Attributes, GeneratedResource, GeneratedScope } from './model.ts';
import { exportIntervalNs } from './model.ts';
import type { Rng } from './rng.ts';

interface ShopService {
  readonly name: string;
  readonly language: string;
  readonly scope: string;
}

const services: readonly ShopService[] = [
  { name: 'frontend-proxy', language: 'cpp', scope: 'envoy' },
  { name: 'frontend', language: 'nodejs', scope: '@opentelemetry/instrumentation-http' },
  { name: 'cart', language: 'dotnet', scope: 'OpenTelemetry.Instrumentation.AspNetCore' },
  {
    name: 'checkout',
    language: 'go',
    scope: 'go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc',
  },
  { name: 'product-catalog', language: 'go', scope: 'product-catalog' },
  { name: 'currency', language: 'cpp', scope: 'currency' },
  { name: 'shipping', language: 'rust', scope: 'tonic' },
  { name: 'payment', language: 'nodejs', scope: '@opentelemetry/instrumentation-grpc' },
  { name: 'email', language: 'ruby', scope: 'OpenTelemetry::Instrumentation::Sinatra' },
  { name: 'ad', language: 'java', scope: 'io.opentelemetry.grpc-1.6' },
  { name: 'recommendation', language: 'python', scope: 'opentelemetry.instrumentation.grpc' },
  { name: 'quote', language: 'php', scope: 'io.opentelemetry.contrib.php.slim' },
  { name: 'fraud-detection', language: 'java', scope: 'io.opentelemetry.kafka-clients-0.11' },
  { name: 'accounting', language: 'dotnet', scope: 'Confluent.Kafka' },
  { name: 'image-provider', language: 'cpp', scope: 'nginx' },
  { name: 'load-generator', language: 'python', scope: 'opentelemetry.instrumentation.requests' },
];

export type ShopServiceName =
  | 'frontend-proxy'
  | 'frontend'
  | 'cart'
  | 'checkout'
  | 'product-catalog'
  | 'currency'
  | 'shipping'
  | 'payment'
  | 'email'
  | 'ad'
  | 'recommendation'
  | 'quote'
  | 'fraud-detection'
  | 'accounting'
  | 'image-provider'
  | 'load-generator';

const indexByName: ReadonlyMap<string, number> = new Map(services.map((service, index) => [service.name, index]));

export function serviceIndex(name: ShopServiceName): number {
  const index = indexByName.get(name);
  if (index === undefined) throw new Error(`BUG: no shop service ${name}`);
  return index;
}

export const shopScopes: readonly GeneratedScope[] = services.map((service) => ({
  name: service.scope,
  version: '0.60.1',
}));

/** Resources in service-major order: instance i of service s is at s * instances + i. */
export function shopResources(rng: Rng, instances: number): GeneratedResource[] {
  const out: GeneratedResource[] = [];
  for (const service of services) {
    for (let i = 0; i < instances; i++) {
      out.push({
        attributes: resourceAttributes(rng, service),
        exportPhaseNs: rng.int(exportIntervalNs),
        clockSkewNs: rng.int(100_000_000) - 50_000_000,
      });
    }
  }
  return out;
}

function resourceAttributes(rng: Rng, service: ShopService): Attributes {
  const host = `ip-10-0-${rng.int(8)}-${rng.int(255)}.ec2.internal`;
  return [
    ['service.name', service.name],
    ['service.namespace', 'opentelemetry-demo'],
    ['service.version', '2.1.3'],
    ['service.instance.id', rng.uuid()],
    ['telemetry.sdk.language', service.language],
    ['telemetry.sdk.name', 'opentelemetry'],
    ['telemetry.sdk.version', `1.3${rng.int(9)}.0`],
    ['host.name', host],
    ['host.arch', 'amd64'],
    ['os.type', 'linux'],
    ['os.description', 'Linux 6.1.0-28-cloud-amd64'],
    ['process.pid', 1 + rng.int(40)],
    ['process.executable.name', service.name],
    ['process.runtime.name', service.language],
    ['process.runtime.version', `2${rng.int(4)}.${rng.int(20)}.${rng.int(9)}`],
    ['process.command_args', [`/app/${service.name}`, '--port', '8080']],
    ['container.id', rng.hex(64)],
    ['k8s.namespace.name', 'shop'],
    ['k8s.node.name', host],
    ['k8s.pod.name', `${service.name}-${rng.hex(10)}-${rng.hex(5)}`],
    ['k8s.deployment.name', service.name],
    ['deployment.environment', 'production'],
  ];
}
