// The shop's longest journey: an order with cart, prices, shipping quote, payment, e-mail and two Kafka consumers, 25-40 spans.
import type { GeneratedSpan } from './model.ts';
import { KIND_CLIENT, KIND_CONSUMER, KIND_INTERNAL, KIND_PRODUCER, KIND_SERVER } from './model.ts';
import type { JourneyStart } from './shop-journeys.ts';
import type { ShopTrace } from './shop-trace.ts';
import { currencies, products } from './shop-trace.ts';
import { durationUsOf } from './trace-builder.ts';

export function checkout(trace: ShopTrace, { frontend, totalUs, error }: JourneyStart): void {
  const { rng, session } = trace;
  const order = rng.uuid();
  const items = 1 + rng.int(5);
  const place = trace.call({
    parent: frontend,
    from: 'frontend',
    to: 'checkout',
    service: 'oteldemo.CheckoutService',
    method: 'PlaceOrder',
    offsetUs: totalUs * 0.02,
    durationUs: totalUs * 0.8,
    attributes: [
      ['app.user.id', session.user],
      ['app.user.currency', rng.pick(currencies)],
      ['app.order.id', order],
      ['app.shipping.tracking.id', rng.uuid()],
      ['app.order.items.count', items],
      ['app.order.amount', { double: Math.round(rng.float() * 1e5) / 100 }],
      ['app.shipping.amount', { double: Math.round(rng.float() * 1e4) / 100 }],
    ],
    error,
  });
  place.events.push(
    { timeNs: place.startNs + 5000 + rng.int(1000), name: 'prepared', attributes: [] },
    {
      timeNs: place.startNs + 9000 + rng.int(1000),
      name: 'charged',
      attributes: [['app.payment.transaction.id', rng.uuid()]],
    },
  );
  // The steps below lay themselves out over this; the last of them ends at 0.76 of it.
  const stepsUs = durationUsOf(place) / 0.8;
  prepareOrder(trace, place, { totalUs: stepsUs, items });
  charge(trace, place, stepsUs);
  ship(trace, place, stepsUs);
  confirm(trace, place, { totalUs: stepsUs, order });
  publish(trace, place, stepsUs);
}

function prepareOrder(trace: ShopTrace, place: GeneratedSpan, about: { totalUs: number; items: number }): void {
  const { items } = about;
  const { rng, session } = trace;
  const prepare = trace.span({
    service: 'checkout',
    parent: place,
    name: 'prepareOrderItemsAndShippingQuoteFromCart',
    kind: KIND_INTERNAL,
    offsetUs: about.totalUs * 0.02,
    durationUs: about.totalUs * 0.4,
    attributes: [],
  });
  const totalUs = durationUsOf(prepare) / 0.4;
  const cart = trace.call({
    parent: prepare,
    from: 'checkout',
    to: 'cart',
    service: 'oteldemo.CartService',
    method: 'GetCart',
    offsetUs: totalUs * 0.01,
    durationUs: totalUs * 0.05,
    attributes: [['app.user.id', session.user]],
  });
  trace.span({
    service: 'cart',
    parent: cart,
    name: 'HGET',
    kind: KIND_CLIENT,
    offsetUs: totalUs * 0.005,
    durationUs: totalUs * 0.02,
    attributes: [
      ['db.system', 'redis'],
      ['db.statement', `HGET ${session.user}`],
      ['net.peer.name', 'valkey-cart'],
      ['net.peer.port', 6379],
    ],
  });
  for (let i = 0; i < items; i++) priceItem(trace, prepare, { totalUs, offsetUs: totalUs * (0.06 + 0.05 * i) });
  quote(trace, prepare, { totalUs, items, zip: String(10000 + rng.int(89999)) });
}

function priceItem(
  trace: ShopTrace,
  prepare: GeneratedSpan,
  { totalUs, offsetUs }: { totalUs: number; offsetUs: number },
): void {
  const { rng } = trace;
  trace.call({
    parent: prepare,
    from: 'checkout',
    to: 'product-catalog',
    service: 'oteldemo.ProductCatalogService',
    method: 'GetProduct',
    offsetUs,
    durationUs: totalUs * 0.03,
    attributes: [['app.product.id', rng.pick(products)]],
  });
  trace.call({
    parent: prepare,
    from: 'checkout',
    to: 'currency',
    service: 'oteldemo.CurrencyService',
    method: 'Convert',
    offsetUs: offsetUs + totalUs * 0.03,
    durationUs: totalUs * 0.02,
    attributes: [
      ['app.currency.conversion.from', 'USD'],
      ['app.currency.conversion.to', rng.pick(currencies)],
    ],
  });
}

function quote(trace: ShopTrace, prepare: GeneratedSpan, about: { totalUs: number; items: number; zip: string }): void {
  const { rng } = trace;
  const server = trace.span({
    service: 'shipping',
    parent: prepare,
    name: 'POST /get-quote',
    kind: KIND_SERVER,
    offsetUs: about.totalUs * 0.3,
    durationUs: about.totalUs * 0.08,
    attributes: [
      ['http.method', 'POST'],
      ['http.target', '/get-quote'],
      ['http.status_code', 200],
      ['http.client_ip', `10.0.2.${rng.int(255)}`],
      ['app.shipping.zip_code', about.zip],
    ],
  });
  trace.span({
    service: 'quote',
    parent: server,
    name: 'calculate-quote',
    kind: KIND_INTERNAL,
    offsetUs: about.totalUs * 0.01,
    durationUs: about.totalUs * 0.03,
    attributes: [
      ['app.quote.items.count', about.items],
      ['app.quote.cost.total', { double: Math.round(rng.float() * 1e4) / 100 }],
    ],
  });
}

function charge(trace: ShopTrace, place: GeneratedSpan, totalUs: number): void {
  const { rng } = trace;
  trace.call({
    parent: place,
    from: 'checkout',
    to: 'payment',
    service: 'oteldemo.PaymentService',
    method: 'Charge',
    offsetUs: totalUs * 0.5,
    durationUs: totalUs * 0.08,
    attributes: [
      ['app.payment.card_type', rng.pick(['visa', 'mastercard'])],
      ['app.payment.card_valid', true],
      ['app.payment.charged', true],
      ['app.loyalty.level', rng.pick(['gold', 'silver', 'bronze', 'platinum'])],
    ],
  });
}

function ship(trace: ShopTrace, place: GeneratedSpan, totalUs: number): void {
  trace.span({
    service: 'shipping',
    parent: place,
    name: 'POST /ship-order',
    kind: KIND_SERVER,
    offsetUs: totalUs * 0.6,
    durationUs: totalUs * 0.03,
    attributes: [
      ['http.method', 'POST'],
      ['http.target', '/ship-order'],
      ['http.status_code', 200],
      ['app.shipping.tracking.id', trace.rng.uuid()],
    ],
  });
}

function confirm(trace: ShopTrace, place: GeneratedSpan, { totalUs, order }: { totalUs: number; order: string }): void {
  const server = trace.span({
    service: 'email',
    parent: place,
    name: 'POST /send_order_confirmation',
    kind: KIND_SERVER,
    offsetUs: totalUs * 0.65,
    durationUs: totalUs * 0.08,
    attributes: [
      ['http.method', 'POST'],
      ['http.route', '/send_order_confirmation'],
      ['http.status_code', 200],
      ['app.order.id', order],
    ],
  });
  trace.span({
    service: 'email',
    parent: server,
    name: 'send_email',
    kind: KIND_INTERNAL,
    offsetUs: totalUs * 0.01,
    durationUs: totalUs * 0.04,
    attributes: [
      ['app.email.recipient', `someone${trace.rng.zipf(5000)}@example.com`],
      ['app.order.id', order],
    ],
  });
}

function publish(trace: ShopTrace, place: GeneratedSpan, totalUs: number): void {
  const { rng } = trace;
  const messageOffset = rng.int(1 << 30);
  const producer = trace.span({
    service: 'checkout',
    parent: place,
    name: 'orders publish',
    kind: KIND_PRODUCER,
    offsetUs: totalUs * 0.75,
    durationUs: totalUs * 0.01,
    attributes: [
      ['messaging.system', 'kafka'],
      ['messaging.operation', 'publish'],
      ['messaging.destination.name', 'orders'],
      ['messaging.kafka.destination.partition', 0],
      ['messaging.kafka.message.offset', messageOffset],
      ['net.peer.name', 'kafka'],
      ['net.peer.port', 9092],
    ],
  });
  for (const consumer of ['fraud-detection', 'accounting'] as const) {
    trace.span({
      service: consumer,
      parent: producer,
      name: 'orders process',
      kind: KIND_CONSUMER,
      offsetUs: totalUs * 0.02 + rng.int(3000),
      durationUs: totalUs * 0.02,
      attributes: [
        ['messaging.system', 'kafka'],
        ['messaging.operation', 'process'],
        ['messaging.destination.name', 'orders'],
        ['messaging.kafka.consumer.group', consumer],
        ['messaging.kafka.message.offset', messageOffset],
        ['thread.name', 'main'],
      ],
    });
  }
}
