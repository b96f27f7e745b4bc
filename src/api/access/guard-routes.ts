// Lets an HTTP request in before its body is read: by the key of its route, or by a login with the scope that the route needs. Every
// request then has a principal, and its tenant is one of the principal's.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { assert } from '../../base/assert.ts';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { isSameSecret } from '../../base/password-hash.ts';
import type { Tenant } from '../../trace/tenant.ts';
import { messageOf, statusOf } from '../edge/status.ts';
import type { Caller, LogIns } from './access.ts';
import { certificateNames } from './certificate-names.ts';
import { almighty, ANYONE, requireScope, tenantFor, tenantsFor, type Principal } from '../../trace/principal.ts';
import type { KeyFlag, RouteNeed } from './route-needs.ts';

/** The keys of flags; '' for none. */
export type RouteKeys = Readonly<Record<KeyFlag, string>>;

export interface RouteGuard {
  readonly access: LogIns;
  readonly keys: RouteKeys;
  readonly needOf: (request: FastifyRequest) => RouteNeed;
}

const principals = new WeakMap<FastifyRequest, Principal>();

/** Who sent the request. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request);
  assert(principal !== undefined, 'a request that no guard has seen');
  return principal;
}

/** Who sent the request, for the log; also of requests that were refused. */
export function callerName(request: FastifyRequest): string {
  return principals.get(request)?.name ?? 'nobody';
}

/** Whose data the request is about. Throws INVALID_REQUEST, FORBIDDEN. */
export function tenantOf(request: FastifyRequest): Tenant {
  return tenantFor(principalOf(request), request.headers);
}

/** As tenantOf, for a question, which may be about several. */
export function tenantsOf(request: FastifyRequest): readonly Tenant[] {
  return tenantsFor(principalOf(request), request.headers);
}

/** Answers 401, 403, 429 or 503 to requests that may not pass; all routes of `app` that are registered later are guarded. */
export function guardRoutes(app: FastifyInstance, guard: RouteGuard): void {
  app.addHook('onRequest', async (request, reply) => {
    try {
      principals.set(request, await letIn(request, guard));
    } catch (error) {
      if (!isStoreError(error)) throw error;
      await refuse(reply, error, guard.access);
    }
  });
}

/** Lets everybody in: for servers that have no logins. */
export function guardNothing(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    principals.set(request, ANYONE);
    done();
  });
}

function letIn(request: FastifyRequest, { access, keys, needOf }: RouteGuard): Principal | Promise<Principal> {
  const { scope, key } = needOf(request);
  if (scope === 'open') return ANYONE;
  const expected = key === undefined ? '' : keys[key];
  if (key !== undefined && expected !== '') {
    const given = keyOf(request);
    if (given !== undefined && isSameSecret(given, expected)) return almighty(`key ${key}`);
    if (access.isOpen) throw wrongKey(key, given);
  }
  const found = access.logIn(callerOf(request));
  const checked = (principal: Principal): Principal => {
    principals.set(request, principal);
    requireScope(principal, scope);
    return principal;
  };
  return found instanceof Promise ? found.then(checked) : checked(found);
}

/** The key of a request, as authKey= in its query or as a header. */
function keyOf(request: FastifyRequest): string | undefined {
  const { authKey } = request.query as Readonly<Record<string, unknown>>;
  const header = request.headers['authkey'];
  const given = authKey ?? header;
  return typeof given === 'string' ? given : undefined;
}

function wrongKey(key: KeyFlag, given: string | undefined): StoreError {
  const problem = given === undefined ? 'missing' : 'wrong';
  return new StoreError('UNAUTHENTICATED', `${problem} authKey: this path is protected by -${key}`);
}

/** What a connection and its headers tell of who asks, over HTTP/1 and HTTP/2. */
export function callerOf({
  headers,
  socket,
}: {
  readonly headers: { readonly authorization?: string | undefined };
  readonly socket: Socket;
}): Caller {
  const { authorization } = headers;
  return { authorization, address: socket.remoteAddress ?? 'unknown', certificateNames: namesOf(socket) };
}

/** By connection: parsing a certificate costs more than a request. */
const namesBySocket = new WeakMap<Socket, readonly string[] | undefined>();

function namesOf(socket: Socket): readonly string[] | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  if (!namesBySocket.has(socket)) namesBySocket.set(socket, certificateNames(socket.getPeerCertificate()));
  return namesBySocket.get(socket);
}

async function refuse(reply: FastifyReply, error: StoreError, access: LogIns): Promise<void> {
  const { http, retrySeconds } = statusOf(error);
  // Browsers then ask their user.
  if (error.code === 'UNAUTHENTICATED' && !access.isOpen) {
    reply.header('www-authenticate', ['Basic realm="Tracelith", charset="UTF-8"', 'Bearer realm="Tracelith"']);
  }
  if (retrySeconds !== undefined) reply.header('retry-after', String(retrySeconds));
  await reply
    .code(http)
    .type('text/plain; charset=utf-8')
    .send(`${messageOf(error)}\n`);
}
