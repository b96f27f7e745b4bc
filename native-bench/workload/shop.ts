// The `shop` profile: customers' journeys through the OpenTelemetry demo shop. Every trace enters through the load generator,
// the proxy and the frontend; what happens behind is one of the journeys in shop-journeys.ts. 2 % of the traces fail.
import type { Attribute, GeneratedSpan, Profile } from './model.ts';
import { KIND_CLIENT, KIND_SERVER } from './model.ts';
import type { Rng } from './rng.ts';
import type { Journey } from './shop-journeys.ts';
import { pickJourney } from './shop-journeys.ts';
import { shopResources } from './shop-services.ts';
import type { Session } from './shop-trace.ts';
import { currencies, ShopTrace } from './shop-trace.ts';
import { durationUsOf } from './trace-builder.ts';

const userAgents = [
  'python-requests/2.32.4',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
];
const failure = '13 INTERNAL: failed to process request';

// Open sessions at any time. A trace takes one of them and replaces it with probability 1/10: about ten traces each.
const sessionsMax = 64;

export function shopProfile(rng: Rng, instances: number): Profile {
  const resources = shopResources(rng, instances);
  const sessions: Session[] = [];
  for (let i = 0; i < sessionsMax; i++) sessions.push(newSession(rng));
  return {
    resources,
    trace(startNs: number): GeneratedSpan[] {
      const trace = new ShopTrace(rng, { resources, instances }, { startNs, session: nextSession(rng, sessions) });
      const journey = pickJourney(rng);
      const error = rng.chance(0.02) ? failure : '';
      const frontend = entry(trace, journey, { totalUs: rng.logNormal(9.6, 0.6), error });
      // Journeys lay out their calls over this; they leave its last tenth to the frontend itself.
      journey.run(trace, { frontend, totalUs: durationUsOf(frontend) / 0.9, error });
      return trace.spans;
    },
  };
}

function newSession(rng: Rng): Session {
  return { user: rng.uuid(), id: rng.uuid(), userAgent: userAgents[rng.zipf(userAgents.length)] ?? '' };
}

function nextSession(rng: Rng, sessions: Session[]): Session {
  const slot = rng.int(sessions.length);
  if (rng.chance(0.1)) sessions[slot] = newSession(rng);
  return sessions[slot] ?? newSession(rng);
}

interface Entry {
  readonly totalUs: number;
  readonly error: string;
}

/** Load generator → proxy (in and out) → frontend; returns the frontend's server span. */
function entry(trace: ShopTrace, journey: Journey, { totalUs, error }: Entry): GeneratedSpan {
  const { rng, session } = trace;
  const status = error === '' ? 200 : 500;
  const { method, path } = journey.request(rng);
  const query = method === 'GET' ? `?sessionId=${session.id}&currencyCode=${rng.pick(currencies)}` : '';
  const url = `http://frontend-proxy:8080${path}${query}`;
  const root = trace.span({
    service: 'load-generator',
    name: method,
    kind: KIND_CLIENT,
    offsetUs: 0,
    durationUs: totalUs,
    attributes: [
      ['http.method', method],
      ['http.url', url],
      ['http.status_code', status],
      ['net.peer.name', 'frontend-proxy'],
      ['session.id', session.id],
      ['synthetic_request', 'true'],
    ],
  });
  const ingress = trace.span({
    service: 'frontend-proxy',
    parent: root,
    name: 'ingress',
    kind: KIND_SERVER,
    offsetUs: totalUs * 0.02,
    durationUs: durationUsOf(root) * 0.95,
    attributes: ingressAttributes(trace, { method, url, status }),
  });
  const egress = trace.span({
    service: 'frontend-proxy',
    parent: ingress,
    name: 'router frontend egress',
    kind: KIND_CLIENT,
    offsetUs: totalUs * 0.02,
    durationUs: durationUsOf(ingress) * 0.95,
    attributes: egressAttributes(rng, status),
  });
  return trace.span({
    service: 'frontend',
    parent: egress,
    name: `${method} ${path.replace(/\/[0-9A-Z]{10}$/, '/[productId]')}`,
    kind: KIND_SERVER,
    offsetUs: totalUs * 0.02,
    durationUs: durationUsOf(egress) * 0.95,
    attributes: frontendAttributes(trace, { method, url, path, status }),
    error,
  });
}

function ingressAttributes(
  { rng, session }: ShopTrace,
  http: { method: string; url: string; status: number },
): Attribute[] {
  return [
    ['http.protocol', 'HTTP/1.1'],
    ['http.method', http.method],
    ['http.url', http.url],
    ['http.status_code', String(http.status)],
    ['user_agent', session.userAgent],
    ['request_size', String(rng.int(900))],
    ['response_size', String(Math.floor(rng.logNormal(8, 1)))],
    ['response_flags', '-'],
    ['upstream_cluster', 'frontend'],
    ['upstream_cluster.name', 'frontend'],
    ['guid:x-request-id', rng.uuid()],
    ['node_id', ''],
    ['zone', ''],
    ['component', 'proxy'],
    ['peer.address', `10.0.1.${rng.int(255)}`],
    ['downstream_cluster', '-'],
  ];
}

function egressAttributes(rng: Rng, status: number): Attribute[] {
  const address = `10.0.3.${rng.int(255)}:8080`;
  return [
    ['http.protocol', 'HTTP/1.1'],
    ['upstream_address', address],
    ['peer.address', address],
    ['upstream_cluster', 'frontend'],
    ['upstream_cluster.name', 'frontend'],
    ['http.status_code', String(status)],
    ['response_flags', '-'],
    ['component', 'proxy'],
  ];
}

function frontendAttributes(
  trace: ShopTrace,
  http: { method: string; url: string; path: string; status: number },
): Attribute[] {
  return [
    ['http.url', http.url],
    ['http.host', 'frontend-proxy:8080'],
    ['net.host.name', 'frontend-proxy'],
    ['http.method', http.method],
    ['http.scheme', 'http'],
    ['http.target', http.path],
    ['http.user_agent', trace.session.userAgent],
    ['http.flavor', '1.1'],
    ['net.transport', 'ip_tcp'],
    ['net.host.port', 8080],
    ['net.peer.port', 30000 + trace.rng.int(28000)],
    ['http.status_code', http.status],
    ['http.status_text', http.status === 200 ? 'OK' : 'INTERNAL SERVER ERROR'],
    ['app.session.id', trace.session.id],
    ['app.synthetic_request', true],
  ];
}
