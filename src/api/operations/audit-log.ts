// A line in the log for every call of an operator's path: who, from where, what, with which outcome. Reading /metrics and probes is
// no such call: a scraper makes one every few seconds.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../base/logger.ts';

/** Paths below these, and everything that deletes. */
const AUDITED = ['/internal/', '/debug/', '/delete/', '/flags'];
/** Characters of one parameter. */
const VALUE_CHARS_MAX = 200;
/** Parameters shown of one call; the paths have three at most. */
const PARAMETERS_MAX = 10;

export interface AuditedCall {
  /** The route's pattern, without -http.pathPrefix. */
  readonly path: string;
  /** The name of whoever is logged in. */
  readonly who: string;
}

export function isAudited(method: string, path: string): boolean {
  return method === 'DELETE' || AUDITED.some((prefix) => path.startsWith(prefix));
}

/** Call when `reply` has been sent. */
export function logCall(
  logger: Logger,
  { path, who }: AuditedCall,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): void {
  const { statusCode: status } = reply;
  const line = {
    who,
    from: request.ip,
    what: `${request.method} ${path}`,
    with: parametersOf(request),
    status,
    tookMs: Math.round(reply.elapsedTime),
  };
  // Whoever guesses keys must not flood the log: of these, a few a time are written and the rest is counted.
  if (status === 401 || status === 403 || status === 429) logger.warn('an admin call was refused', line);
  else logger.info('an admin call', line);
}

/** The parameters of path and query as text, without keys. */
function parametersOf({ params, query }: FastifyRequest): string | undefined {
  const given = Object.entries({ ...(params as object), ...(query as object) }) as [string, unknown][];
  const shown = given
    .filter(([name]) => name.toLowerCase() !== 'authkey')
    .slice(0, PARAMETERS_MAX)
    .map(([name, value]) => `${name}=${String(value)}`.slice(0, VALUE_CHARS_MAX));
  return shown.length === 0 ? undefined : shown.join('&');
}
