// Every route and method of every port, with every kind of credential, scope and tenant: nothing is reached without what it needs.
// The routes are those that the listeners serve, so a new one is tried too; its row in route-needs.ts says what is expected.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { grpcNeed, httpNeed, listedNeeds, shortPattern, type RouteNeed } from '../../../src/api/access/route-needs.ts';
import type { ServedRoute } from '../../../src/api/edge/open-server.ts';
import { tenantsOfHeaders } from '../../../src/trace/tenant.ts';
import { hashPassword, hashSecret } from '../../../src/base/password-hash.ts';
import {
  GRPC_PORTS,
  openGuardedPorts,
  type GuardedPorts,
  type Headers,
  type PortName,
  type Verdict,
} from '../../support/guarded-ports.ts';
import { TokenIssuer } from '../../support/token-issuer.ts';

const PORTS: readonly PortName[] = ['http', 'admin', 'otlpHttp', 'otlpGrpc', 'grpc', 'storage'];
const bearer = (token: string): string => `Bearer ${token}`;
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const entry = (token: string, scopes: readonly string[], tenants: readonly string[], more: object = {}): object => ({
  name: token,
  sha256: hashSecret(token).toString('hex'),
  scopes,
  tenants,
  ...more,
});

/** What a caller shows, what it may, and whose data. undefined: it is nobody. */
interface Credential {
  readonly headers: Headers;
  readonly scopes?: readonly string[];
  readonly tenants?: readonly string[];
}

const ALL = ['ingest', 'query', 'admin'];
const past = '2020-01-01T00:00:00Z';
let issuer: TokenIssuer;
let open: GuardedPorts;
let guarded: GuardedPorts;
let credentials: Readonly<Record<string, Credential>>;

beforeAll(async () => {
  issuer = await TokenIssuer.open();
  const auth = {
    tokens: [
      entry('ingest', ['ingest'], ['0:0']),
      entry('query', ['query'], ['0:0']),
      entry('admin', ['admin'], ['0:0']),
      entry('all', ALL, ['*']),
      entry('tenant 7'.replace(' ', '-'), ALL, ['7:0']),
      entry('old', ALL, ['*'], { expires: past }),
    ],
    users: [{ name: 'ann', password: hashPassword('right'), scopes: ['query'], tenants: ['0:0', '7:0'] }],
    issuers: [{ issuer: issuer.url, audience: 'tracelith', jwks: issuer.jwks }],
  };
  guarded = await openGuardedPorts(auth, ['-metricsAuthKey=key', '-adminListenAddr=127.0.0.1:0']);
  open = await openGuardedPorts(undefined);
  const jwt = async (claims: object): Promise<string> => bearer(await issuer.sign({ ...claims }));
  credentials = {
    nothing: { headers: {} },
    'a wrong token': { headers: { authorization: bearer('wrong') } },
    'an expired token': { headers: { authorization: bearer('old') } },
    'a wrong password': { headers: { authorization: basic('ann', 'wrong') } },
    nonsense: { headers: { authorization: 'root' } },
    'a JWT for another': { headers: { authorization: await jwt({ aud: 'other', scope: 'admin query ingest' }) } },
    'the key of another path': { headers: { authKey: 'key' } },
    'an ingest token': { headers: { authorization: bearer('ingest') }, scopes: ['ingest'], tenants: ['0:0'] },
    'a query token': { headers: { authorization: bearer('query') }, scopes: ['query'], tenants: ['0:0'] },
    'an admin token': { headers: { authorization: bearer('admin') }, scopes: ['admin'], tenants: ['0:0'] },
    'a token for all': { headers: { authorization: bearer('all') }, scopes: ALL, tenants: ['0:0', '7:0', '8:0'] },
    'a token of tenant 7': { headers: { authorization: bearer('tenant-7') }, scopes: ALL, tenants: ['7:0'] },
    'a user': { headers: { authorization: basic('ann', 'right') }, scopes: ['query'], tenants: ['0:0', '7:0'] },
    'a JWT': {
      headers: { authorization: await jwt({ scope: 'ingest query', tenants: ['7'] }) },
      scopes: ['ingest', 'query'],
      tenants: ['7:0'],
    },
  };
}, 60_000);
afterAll(async () => {
  await guarded[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

function needOf(port: PortName, { method, pattern }: ServedRoute): RouteNeed {
  return GRPC_PORTS.includes(port) ? grpcNeed(pattern) : httpNeed(method, pattern);
}

function expected(need: RouteNeed, { scopes, headers }: Credential): Verdict {
  if (need.scope === 'open') return 'let in';
  if (need.key === 'metricsAuthKey' && headers['authKey'] !== undefined) return 'let in';
  if (scopes === undefined) return 'log in';
  return scopes.includes(need.scope) ? 'let in' : 'forbidden';
}

/** Tenants whose data a credential reached although they are not its own, or not the ones that were asked for. */
async function wronglyTouched(port: PortName, route: ServedRoute, credential: Credential): Promise<string[]> {
  const { headers, tenants = [] } = credential;
  const wrong: string[] = [];
  for (const tenant of ['0:0', '7:0', '8:0', '0:0|8:0', '7|0|8']) {
    const asked = tenantsOfHeaders({ 'x-tenant': tenant });
    const isOwn = asked.every((one) => tenants.includes(one));
    guarded.touched.clear();
    await guarded.ask(port, route, { ...headers, 'x-tenant': tenant });
    const touched = [...guarded.touched].filter((one) => !(asked as string[]).includes(one) || !isOwn);
    wrong.push(...touched.map((one) => `${route.pattern} with tenant ${tenant} touched ${one}`));
  }
  return wrong;
}

describe.each(PORTS)('on the port %s', (port) => {
  test('every route lets in who has what its row asks for, and nobody else', async () => {
    const wrong: string[] = [];
    let tried = 0;
    for (const route of guarded.ports.get(port)!.routes) {
      const need = needOf(port, route);
      for (const [name, credential] of Object.entries(credentials)) {
        // A tenant of its own, or the one that is meant without a header.
        const own = credential.tenants?.includes('0:0') === false ? { AccountID: '7' } : {};
        const found = await guarded.ask(port, route, { ...credential.headers, ...own });
        tried++;
        const wanted = expected(need, credential);
        if (found !== wanted) wrong.push(`${route.method} ${route.pattern} with ${name}: ${found}, not ${wanted}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(10);
  });

  test('nobody reaches the data of a tenant that is not its own', async () => {
    const wrong: string[] = [];
    for (const route of guarded.ports.get(port)!.routes) {
      for (const [name, credential] of Object.entries(credentials)) {
        wrong.push(...(await wronglyTouched(port, route, credential)).map((what) => `${name}: ${what}`));
      }
    }
    expect(wrong).toEqual([]);
  });

  test('without logins everything is open', async () => {
    // Without -adminListenAddr everything is on the first port.
    for (const route of open.ports.get(port)?.routes ?? []) {
      expect([route, await open.ask(port, route, {})]).toEqual([route, 'let in']);
    }
  });

  test('a path that is not there tells a stranger nothing', async () => {
    const route = { method: 'GET', pattern: '/no.such.Service/Method' };
    expect(await guarded.ask(port, route, {})).toBe('log in');
    expect(await guarded.ask(port, route, { authorization: bearer('query') })).toBe('let in');
    if (open.ports.has(port)) expect(await open.ask(port, route, {})).toBe('let in');
  });
});

test('with -adminListenAddr the paths for operators are there alone', async () => {
  const names = (ports: GuardedPorts, port: PortName): string[] =>
    ports.ports.get(port)!.routes.map(({ method, pattern }) => `${method} ${pattern}`);
  const all = names(open, 'http');
  expect(names(guarded, 'admin')).toEqual(all);
  const kept = new Set(names(guarded, 'http'));
  const gone = all.filter((name) => !kept.has(name));
  expect(all.length - gone.length).toBe(kept.size);
  const isForOperators = (name: string): boolean => {
    const [method = '', pattern = ''] = name.split(' ');
    // Jaeger's own path, whatever its scope.
    return needOf('http', { method, pattern }).scope === 'admin' && !pattern.includes('/api/archive/');
  };
  expect(gone).toEqual(all.filter(isForOperators));
  expect(gone.length).toBeGreaterThan(15);
  for (const path of ['/metrics', '/flags', '/debug/threads']) {
    const status = async (port: PortName): Promise<number> => {
      const { port: number } = guarded.ports.get(port)!;
      return (await fetch(`http://127.0.0.1:${number}${path}`, { headers: { authorization: bearer('all') } })).status;
    };
    expect([path, await status('http'), await status('admin')]).toEqual([path, 404, 200]);
  }
});

test('the tenants of a credential are reached, without a header the only one', async () => {
  const services = { method: 'GET', pattern: '/api/services' };
  for (const [token, headers, tenant] of [
    ['query', {}, '0:0'],
    ['tenant-7', {}, '7:0'],
    ['tenant-7', { AccountID: '7', ProjectID: '0' }, '7:0'],
    ['all', { 'x-tenant': '8' }, '8:0'],
    ['all', {}, '0:0'],
    ['all', { AccountID: '8|9' }, '8:0,9:0'],
  ] as const) {
    guarded.touched.clear();
    expect(await guarded.ask('http', services, { authorization: bearer(token), ...headers })).toBe('let in');
    expect([...guarded.touched].join()).toBe(tenant);
  }
});

describe('the table of needs', () => {
  test('has no row that no port serves', () => {
    const served = PORTS.flatMap((port) =>
      guarded.ports.get(port)!.routes.map((route) => needOf(port, route) && rowOf(port, route)),
    );
    expect(listedNeeds().filter((row) => !served.includes(row))).toEqual([]);
  });

  test('must have a row for every route: a listener with another one does not open', () => {
    expect(() => httpNeed('GET', '/api/new')).toThrow('BUG: the route GET /api/new has no row in route-needs.ts');
    expect(() => httpNeed('DELETE', '/api/services')).toThrow('has no row');
    expect(() => grpcNeed('/new.Service/Method')).toThrow('BUG: the method /new.Service/Method has no row');
  });
});

function rowOf(port: PortName, { method, pattern }: ServedRoute): string {
  if (GRPC_PORTS.includes(port)) return pattern.split('/')[1]!;
  const short = shortPattern(pattern);
  return short === '/api/*' ? '* /api/*' : `${method} ${short}`;
}
