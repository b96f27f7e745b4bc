// Values of the chaotic profile, by kind: identifiers, addresses, sizes, texts with identifiers in them; most are seen once or a few
// times, as in real attributes of high cardinality, and a quarter come from short lists.
import type { AttributeValue } from './model.ts';
import type { Rng } from './rng.ts';
import type { ValueKind } from './vocabulary.ts';

/** What all spans of a trace know of whoever asked; sessions span several traces. */
export interface Caller {
  readonly agent: string;
  readonly ip: string;
  readonly order: string;
  readonly request: string;
  readonly session: string;
  readonly tenant: string;
  readonly user: string;
}

const words = (text: string): readonly string[] => text.split(' ');
const methods = words('GET POST PUT PATCH DELETE HEAD SELECT INSERT UPDATE');
const statuses = [200, 201, 202, 204, 301, 304, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503];
const engines = words(
  'postgresql mysql redis mongodb kafka rabbitmq grpc connect_rpc elasticsearch cassandra stripe adyen',
);
const exchanges = words('active idle publish receive process tcp unix http pubsub timer');
const encodings = words('gzip br zstd identity http h2 TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256');
const regions = words(
  'us-east-1 us-west-2 eu-west-1 eu-central-1 ap-south-1 ap-northeast-1 sa-east-1 US DE IN JP BR FR GB',
);
const cities = words(
  'Berlin Paris London Madrid Tokyo Osaka Mumbai Delhi Austin Boston Lima Quito Oslo Bergen Wien Graz',
);
const currencies = words('USD EUR GBP JPY INR BRL CHF SEK NOK PLN CAD AUD');
const things = words('orders users carts items invoices payments products reviews sessions shipments accounts refunds');
const verbs = words('load save find check apply merge price reserve notify charge render validate');
const errorTypes = words('timeout ECONNRESET NotFound Conflict java.io.IOException UNAVAILABLE canceled 500 503');
const agents = 200;
const users = 1_000_000;

/** `session` is kept by the trace before with a chance of nine in ten, as one visit makes about ten requests. */
export function drawCaller(rng: Rng, before: Caller | undefined): Caller {
  const asked = { order: rng.uuid(), request: rng.uuid() };
  if (before !== undefined && rng.chance(0.9)) return { ...before, ...asked };
  const agent = rng.zipf(agents);
  return {
    ...asked,
    agent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.${agent} Chrome/${80 + (agent % 60)}.0`,
    ip: publicIp(rng),
    session: rng.uuid(),
    tenant: `tenant-${rng.zipf(500)}`,
    user: `u-${rng.zipf(users)}`,
  };
}

export function drawValue(rng: Rng, kind: ValueKind, caller: Caller): AttributeValue {
  switch (kind) {
    case 'caller.agent':
      return caller.agent;
    case 'caller.ip':
      return caller.ip;
    case 'caller.order':
      return caller.order;
    case 'caller.request':
      return caller.request;
    case 'caller.session':
      return caller.session;
    case 'caller.tenant':
      return caller.tenant;
    case 'caller.user':
      return caller.user;
    default:
      return drawNumber(rng, kind) ?? drawText(rng, kind);
  }
}

function drawNumber(rng: Rng, kind: ValueKind): AttributeValue | undefined {
  switch (kind) {
    case 'bool':
      return rng.chance(0.5);
    case 'bytes':
      return Math.floor(rng.logNormal(8, 2));
    case 'count':
      return rng.zipf(2000);
    case 'int64':
      return { int64: BigInt.asIntN(64, (BigInt(rng.uint32() >>> 1) << 32n) | BigInt(rng.uint32())) };
    case 'millis':
      return { double: Math.round(rng.logNormal(2, 1.5) * 1000) / 1000 };
    case 'money':
      return { double: Math.round(rng.logNormal(4, 1) * 100) / 100 };
    case 'offset':
      return rng.int(1e9);
    case 'port':
      return 32_768 + rng.int(28_232);
    case 'ratio':
      return { double: rng.float() };
    case 'seconds':
      return rng.pick([1, 5, 10, 30, 60, 300, 900, 3600, 86_400]);
    case 'status':
      return rng.pick(statuses);
    default:
      return undefined;
  }
}

function drawText(rng: Rng, kind: ValueKind): string {
  switch (kind) {
    case 'city':
      return rng.pick(cities);
    case 'currency':
      return rng.pick(currencies);
    case 'decimal':
      return String(rng.int(1e9));
    case 'email':
      return `${rng.pick(verbs)}.${rng.pick(things)}${rng.int(100_000)}@example.com`;
    case 'encoding':
      return rng.pick(encodings);
    case 'engine':
      return rng.pick(engines);
    case 'errorType':
      return rng.pick(errorTypes);
    case 'exchange':
      return rng.pick(exchanges);
    case 'file':
      return `/srv/app/src/${rng.pick(things)}/${rng.pick(verbs)}-${rng.zipf(300)}.ts`;
    case 'functionName':
      return `${rng.pick(things)}.${rng.pick(verbs)}${rng.zipf(300)}`;
    case 'hash':
      return rng.hex(32);
    case 'hex16':
      return rng.hex(16);
    case 'host':
      return `${rng.pick(things)}-${rng.zipf(1000)}.prod.svc.cluster.local`;
    case 'ip':
      return `10.${rng.int(8)}.${rng.int(256)}.${rng.int(256)}`;
    case 'method':
      return rng.pick(methods);
    case 'objectKey':
      return `${rng.pick(things)}/2026/11/20/${rng.hex(12)}`;
    case 'path':
      return `/${rng.pick(things)}/${rng.int(1e6)}/${rng.pick(verbs)}`;
    case 'region':
      return rng.pick(regions);
    case 'sql':
      return `SELECT id, state FROM ${rng.pick(things)} WHERE owner_id = ${rng.int(1e7)} AND id > ${rng.int(1e6)} LIMIT 20`;
    case 'table':
      return `${rng.pick(things)}_${rng.zipf(200)}`;
    case 'timestamp':
      return `2026-11-20T${twoDigits(rng, 24)}:${twoDigits(rng, 60)}:${twoDigits(rng, 60)}.${rng.int(900) + 100}Z`;
    case 'topic':
      return `${rng.pick(things)}-${rng.pick(verbs)}`;
    case 'url':
      return `https://${rng.pick(things)}.example.com/v1/${rng.pick(verbs)}/${rng.int(1e7)}?page=${rng.zipf(50)}`;
    case 'version':
      return `1.${rng.int(20)}.${rng.int(10)}`;
    default:
      return rng.uuid();
  }
}

function publicIp(rng: Rng): string {
  return `${1 + rng.int(223)}.${rng.int(256)}.${rng.int(256)}.${rng.int(256)}`;
}

function twoDigits(rng: Rng, below: number): string {
  return String(rng.int(below)).padStart(2, '0');
}
