// What a customer can do in the shop, one function per journey, each given the frontend's server span. The weights are those of
// the demo's load generator: mostly product pages, one checkout in ten. Checkout itself is in shop-checkout.ts.
import type { GeneratedSpan } from './model.ts';
import { KIND_CLIENT, KIND_INTERNAL } from './model.ts';
import type { Rng } from './rng.ts';
import { checkout } from './shop-checkout.ts';
import type { ShopTrace } from './shop-trace.ts';
import { currencies, products } from './shop-trace.ts';
import { durationUsOf } from './trace-builder.ts';

export interface JourneyStart {
  readonly frontend: GeneratedSpan;
  readonly totalUs: number;
  /** Not empty: the journey fails in its main call with this message. */
  readonly error: string;
}

export interface Journey {
  readonly weight: number;
  request(rng: Rng): { method: string; path: string };
  run(trace: ShopTrace, start: JourneyStart): void;
}

const journeys: readonly Journey[] = [
  {
    weight: 0.45,
    request: (rng) => ({ method: 'GET', path: `/api/products/${rng.pick(products)}` }),
    run: viewProduct,
  },
  { weight: 0.15, request: () => ({ method: 'GET', path: '/api/recommendations' }), run: recommendations },
  { weight: 0.1, request: () => ({ method: 'GET', path: '/api/data' }), run: advertisements },
  {
    weight: 0.12,
    request: () => ({ method: 'POST', path: '/api/cart' }),
    run: (trace, start) => cart(trace, start, 'AddItem'),
  },
  {
    weight: 0.08,
    request: () => ({ method: 'GET', path: '/api/cart' }),
    run: (trace, start) => cart(trace, start, 'GetCart'),
  },
  { weight: 0.1, request: () => ({ method: 'POST', path: '/api/checkout' }), run: checkout },
];

export function pickJourney(rng: Rng): Journey {
  let left = rng.float();
  for (const journey of journeys) {
    left -= journey.weight;
    if (left < 0) return journey;
  }
  return rng.pick(journeys);
}

function viewProduct(trace: ShopTrace, { frontend, totalUs, error }: JourneyStart): void {
  const { rng } = trace;
  const catalog = trace.call({
    parent: frontend,
    from: 'frontend',
    to: 'product-catalog',
    service: 'oteldemo.ProductCatalogService',
    method: 'GetProduct',
    offsetUs: totalUs * 0.05,
    durationUs: totalUs * 0.4,
    attributes: [
      ['app.product.id', rng.pick(products)],
      ['app.product.name', 'Solar System Color Imager'],
    ],
    error,
  });
  if (rng.chance(0.3)) selectProduct(trace, catalog, totalUs);
  const conversion = trace.call({
    parent: frontend,
    from: 'frontend',
    to: 'currency',
    service: 'oteldemo.CurrencyService',
    method: 'Convert',
    offsetUs: totalUs * 0.5,
    durationUs: totalUs * 0.1,
    attributes: [
      ['app.currency.conversion.from', 'USD'],
      ['app.currency.conversion.to', rng.pick(currencies)],
    ],
  });
  conversion.attributes.push(['app.currency.conversion.rate', { double: Math.round(rng.float() * 1e6) / 1e6 }]);
}

function selectProduct(trace: ShopTrace, parent: GeneratedSpan, totalUs: number): void {
  const columns = 'id, name, description, picture, price_currency_code, price_units, price_nanos, categories';
  trace.span({
    service: 'product-catalog',
    parent,
    name: 'SELECT catalog.products',
    kind: KIND_CLIENT,
    offsetUs: totalUs * 0.02,
    durationUs: totalUs * 0.2,
    attributes: [
      ['db.system', 'postgresql'],
      ['db.name', 'otel'],
      ['db.statement', `SELECT ${columns} FROM catalog.products WHERE id = '${trace.rng.pick(products)}'`],
      ['db.operation', 'SELECT'],
      ['server.address', 'postgresql'],
      ['server.port', 5432],
    ],
  });
}

function recommendations(trace: ShopTrace, { frontend, totalUs, error }: JourneyStart): void {
  const { rng } = trace;
  const server = trace.call({
    parent: frontend,
    from: 'frontend',
    to: 'recommendation',
    service: 'oteldemo.RecommendationService',
    method: 'ListRecommendations',
    offsetUs: totalUs * 0.05,
    durationUs: totalUs * 0.7,
    attributes: [
      ['app.products.count', 10],
      ['app.filtered_products.count', 9],
      ['app.filtered_products.list', [rng.pick(products), rng.pick(products), rng.pick(products)]],
    ],
  });
  const list = trace.span({
    service: 'recommendation',
    parent: server,
    name: 'get_product_list',
    kind: KIND_INTERNAL,
    offsetUs: durationUsOf(server) * 0.02,
    durationUs: durationUsOf(server) * 0.8,
    attributes: [
      ['app.recommendation.cache_enabled', rng.chance(0.5)],
      ['app.cache_hit', rng.chance(0.8)],
    ],
  });
  const catalog = { to: 'product-catalog', service: 'oteldemo.ProductCatalogService' } as const;
  trace.call({
    ...catalog,
    parent: list,
    from: 'recommendation',
    method: 'ListProducts',
    offsetUs: durationUsOf(list) * 0.02,
    durationUs: durationUsOf(list) * 0.6,
    attributes: [['app.products.count', 10]],
    error,
  });
  for (let i = 0; i < 4; i++) {
    trace.call({
      ...catalog,
      parent: frontend,
      from: 'frontend',
      method: 'GetProduct',
      offsetUs: totalUs * (0.75 + i * 0.02),
      durationUs: totalUs * 0.02,
      attributes: [['app.product.id', rng.pick(products)]],
    });
  }
}

function advertisements(trace: ShopTrace, { frontend, totalUs, error }: JourneyStart): void {
  const { rng } = trace;
  const server = trace.call({
    parent: frontend,
    from: 'frontend',
    to: 'ad',
    service: 'oteldemo.AdService',
    method: 'GetAds',
    offsetUs: totalUs * 0.05,
    durationUs: totalUs * 0.5,
    attributes: [
      ['app.ads.contextKeys', '[telescopes]'],
      ['app.ads.contextKeys.count', 1],
      ['app.ads.count', 2],
      ['app.ads.ad_request_type', 'TARGETED'],
      ['app.ads.ad_response_type', 'TARGETED'],
      ['thread.id', 30 + rng.int(10)],
      ['thread.name', `grpc-default-executor-${rng.int(9)}`],
    ],
    error,
  });
  trace.span({
    service: 'ad',
    parent: server,
    name: 'getAdsByCategory',
    kind: KIND_INTERNAL,
    offsetUs: totalUs * 0.01,
    durationUs: totalUs * 0.1,
    attributes: [
      ['app.ads.category', 'telescopes'],
      ['app.ads.count', 2],
      ['code.function', 'getAdsByCategory'],
      ['code.namespace', 'oteldemo.AdService'],
      ['thread.id', 30 + rng.int(10)],
    ],
  });
}

function cart(trace: ShopTrace, { frontend, totalUs, error }: JourneyStart, method: 'AddItem' | 'GetCart'): void {
  const { rng, session } = trace;
  const server = trace.call({
    parent: frontend,
    from: 'frontend',
    to: 'cart',
    service: 'oteldemo.CartService',
    method,
    offsetUs: totalUs * 0.05,
    durationUs: totalUs * 0.5,
    attributes: [
      ['app.user.id', session.user],
      ['app.product.id', rng.pick(products)],
      ['app.product.quantity', 1 + rng.int(10)],
    ],
    error,
  });
  const commands = method === 'AddItem' ? ['HGET', 'HMSET', 'EXPIRE'] : ['HGET'];
  commands.forEach((command, i) => {
    trace.span({
      service: 'cart',
      parent: server,
      name: command,
      kind: KIND_CLIENT,
      offsetUs: totalUs * (0.05 + 0.06 * i),
      durationUs: totalUs * 0.05,
      attributes: [
        ['db.system', 'redis'],
        ['db.statement', `${command} ${session.user}`],
        ['db.redis.database_index', 0],
        ['net.peer.name', 'valkey-cart'],
        ['net.peer.port', 6379],
        ['peer.service', 'valkey-cart:6379'],
      ],
    });
  });
}
