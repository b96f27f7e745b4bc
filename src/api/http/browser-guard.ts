// Which requests a browser was made to send and must not: any page that somebody opens on this machine can make its browser
// ask a server on loopback. A page whose name was pointed at this address (DNS rebinding) is known by the Host it asks
// for; one that sends requests from its own site, by Sec-Fetch-Site and Origin. Other programs send neither of the two.
// It decides no more than that: who may ask at all is a proxy's business.
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** These change nothing, and a foreign page cannot read what they answer. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The names that a listener is asked under, beside addresses and localhost; undefined: any name. Without the flag a listener
 * on loopback has none, and any other has them all: only its operator knows under which names it is reached.
 */
export function ownHosts(listenHost: string, hosts: readonly string[]): ReadonlySet<string> | undefined {
  const isLoopback = /^(127\.|::1$|localhost$)/.test(listenHost);
  if (hosts.includes('*') || (hosts.length === 0 && !isLoopback)) return undefined;
  return new Set(hosts);
}

/** Answers 421 to every request for a name that is not this server's. */
export function guardHost(app: FastifyInstance, hosts: ReadonlySet<string> | undefined): void {
  if (hosts === undefined) return;
  app.addHook('onRequest', async (request, reply) => {
    const { host = '' } = request.headers;
    // HTTP/1.0 may come without; browsers never do.
    if (host === '' || isOwnHost(host, hosts)) return;
    const shown = JSON.stringify(host.slice(0, 100));
    await refuse(reply, 421, `Host ${shown} is not served here: name it in -http.allowedHosts, or ask by address\n`);
  });
}

/** Answers 403 to what would change something and comes from a page of another origin than this server and `origins`. */
export function guardOrigin(
  app: FastifyInstance,
  { hosts, origins }: { readonly hosts: ReadonlySet<string> | undefined; readonly origins: readonly string[] },
): void {
  app.addHook('onRequest', async (request, reply) => {
    if (SAFE_METHODS.has(request.method) || !isForeign(request.headers, hosts)) return;
    const { origin = '' } = request.headers;
    if (origins.includes('*') || origins.includes(origin)) return;
    const shown = JSON.stringify(origin.slice(0, 100));
    const ways =
      'name this server as the page does in -http.allowedHosts, or let the origin send traces by -http.corsOrigins';
    await refuse(reply, 403, `a page of origin ${shown} may not do this: ${ways}\n`);
  });
}

/** Whether a browser sent this for a page that is not this server's own. */
export function isForeign(headers: IncomingHttpHeaders, hosts: ReadonlySet<string> | undefined): boolean {
  const { host = '', origin, 'sec-fetch-site': site } = headers;
  // The browser's own word, which no page can change; a proxy may have changed Host, so that it cannot be compared.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true; // "null": a sandbox, a file
  const from = new URL(origin);
  return from.host !== host.toLowerCase() && hosts?.has(from.hostname) !== true;
}

function isOwnHost(host: string, hosts: ReadonlySet<string>): boolean {
  // Without the port, in lower case, with an address as it is usually written.
  const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[|[\].]$/g, '') ?? '';
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || hosts.has(name);
}

async function refuse(reply: FastifyReply, status: number, text: string): Promise<void> {
  await reply.code(status).type('text/plain; charset=utf-8').send(text);
}
