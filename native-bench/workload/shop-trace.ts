// The vocabulary of the shop's journeys: who the customer is, spans and remote calls with the attributes that the
// instrumentations of the OpenTelemetry demo put on them. Journeys themselves are in shop.ts.
import type { Attribute, GeneratedResource, GeneratedSpan } from './model.ts';
import { KIND_CLIENT, KIND_SERVER } from './model.ts';
import type { Rng } from './rng.ts';
import type { ShopServiceName } from './shop-services.ts';
import { serviceIndex, shopScopes } from './shop-services.ts';
import { durationUsOf, TraceBuilder } from './trace-builder.ts';

export const products: readonly string[] = [
  '0PUK6V6EV0',
  '1YMWWN1N4O',
  '2ZYFJ3GM2N',
  '66VCHSJNUP',
  '6E92ZMYYFZ',
  '9SIQT8TOJO',
  'L9ECAV7KIM',
  'LS4PSXUNUM',
  'OLJCESPC7Z',
  'HQTGWGPNH4',
];
export const currencies: readonly string[] = ['USD', 'EUR', 'CAD', 'JPY', 'GBP', 'TRY', 'CHF'];

/** What one visit of a customer keeps the same in all its traces; a session is reused about ten times. */
export interface Session {
  readonly user: string;
  readonly id: string;
  readonly userAgent: string;
}

export interface ShopSpan {
  readonly service: ShopServiceName;
  readonly parent?: GeneratedSpan | undefined;
  readonly name: string;
  readonly kind: number;
  readonly offsetUs: number;
  readonly durationUs: number;
  readonly attributes: Attribute[];
  readonly error?: string;
}

export interface ShopCall {
  readonly parent: GeneratedSpan;
  readonly from: ShopServiceName;
  readonly to: ShopServiceName;
  readonly service: string;
  readonly method: string;
  readonly offsetUs: number;
  readonly durationUs: number;
  readonly attributes: Attribute[];
  readonly error?: string;
}

export class ShopTrace {
  readonly rng: Rng;
  readonly session: Session;
  readonly #builder: TraceBuilder;
  readonly #instances: number;

  constructor(
    rng: Rng,
    world: { resources: readonly GeneratedResource[]; instances: number },
    at: { startNs: number; session: Session },
  ) {
    this.rng = rng;
    this.session = at.session;
    this.#instances = world.instances;
    this.#builder = new TraceBuilder(rng, world.resources, at.startNs);
  }

  get spans(): GeneratedSpan[] {
    return this.#builder.spans;
  }

  span(spec: ShopSpan): GeneratedSpan {
    const service = serviceIndex(spec.service);
    const scope = shopScopes[service];
    if (scope === undefined) throw new Error(`BUG: no scope for ${spec.service}`);
    return this.#builder.add({ ...spec, resource: this.#resourceOf(service, spec.parent), scope });
  }

  /** A gRPC call: the client span in `from`, its server span in `to`. Returns the server span. */
  call(spec: ShopCall): GeneratedSpan {
    const { rng } = this;
    const error = spec.error ?? '';
    const rpc: Attribute[] = [
      ['rpc.system', 'grpc'],
      ['rpc.service', spec.service],
      ['rpc.method', spec.method],
      ['rpc.grpc.status_code', error === '' ? 0 : 13],
    ];
    const name = `${spec.service}/${spec.method}`;
    const client = this.span({
      service: spec.from,
      parent: spec.parent,
      name,
      kind: KIND_CLIENT,
      offsetUs: spec.offsetUs,
      durationUs: spec.durationUs,
      attributes: [...rpc, ['net.peer.name', spec.to], ['net.peer.port', 8080]],
      error,
    });
    const server = this.span({
      service: spec.to,
      parent: client,
      name,
      kind: KIND_SERVER,
      offsetUs: durationUsOf(client) * (0.02 + 0.1 * rng.float()),
      durationUs: durationUsOf(client) * (0.7 + 0.15 * rng.float()),
      attributes: [
        ...rpc,
        ['net.sock.peer.addr', `10.0.${rng.int(8)}.${rng.int(255)}`],
        ['net.sock.peer.port', 30000 + rng.int(28000)],
        ['app.session.id', this.session.id],
        ...spec.attributes,
      ],
      error,
    });
    server.events.push({
      timeNs: server.startNs + 1000 + rng.int(1000),
      name: 'message',
      attributes: receivedMessage(rng),
    });
    return server;
  }

  // Spans of one service under each other run in one process; a call to another service lands on any of its instances.
  #resourceOf(service: number, parent: GeneratedSpan | undefined): number {
    const first = service * this.#instances;
    if (parent !== undefined && parent.resource >= first && parent.resource < first + this.#instances)
      return parent.resource;
    return first + this.rng.int(this.#instances);
  }
}

function receivedMessage(rng: Rng): Attribute[] {
  return [
    ['message.type', 'RECEIVED'],
    ['message.id', 1],
    ['message.uncompressed_size', 20 + rng.int(300)],
  ];
}
