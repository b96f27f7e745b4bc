// Refuses requests that a foreign web page made a browser send: any page opened on this machine can make its browser call a
// server on loopback. If the page's name was pointed at this address (DNS rebinding), the Host header shows it; if the page
// sends requests from its own site, Sec-Fetch-Site and Origin show it. Other programs send neither of these two headers.
// This guard decides nothing else: access/ logs callers in.
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { isLoopback } from '../../base/flag-value.ts';

/** These methods change nothing, and a foreign page cannot read their answers. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Host names that the listener accepts besides addresses and localhost; undefined: any name. Without the flag, a listener on
 * loopback accepts no other name, and any other listener accepts all: only its operator knows its names.
 */
export function ownHosts(listenHost: string, hosts: readonly string[]): ReadonlySet<string> | undefined {
  if (hosts.includes('*') || (hosts.length === 0 && !isLoopback(listenHost))) return undefined;
  return new Set(hosts);
}

/** Answers 421 if the Host header names another server. */
export function guardHost(app: FastifyInstance, hosts: ReadonlySet<string> | undefined): void {
  if (hosts === undefined) return;
  app.addHook('onRequest', async (request, reply) => {
    const { host = '' } = request.headers;
    // HTTP/1.0 requests may lack it; browsers always send it.
    if (host === '' || isOwnHost(host, hosts)) return;
    const shown = JSON.stringify(host.slice(0, 100));
    await refuse(reply, 421, `Host ${shown} is not served here: name it in -http.allowedHosts, or ask by address\n`);
  });
}

/** Answers 403 to unsafe requests from pages whose origin is neither this server's nor one of `origins`. */
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
  // Set by the browser, and no page can change it. A proxy may have changed Host, so Host cannot be compared.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true; // "null": a sandbox, a file
  const from = new URL(origin);
  return from.host !== host.toLowerCase() && hosts?.has(from.hostname) !== true;
}

function isOwnHost(host: string, hosts: ReadonlySet<string>): boolean {
  // Without the port, in lower case, with the address in its usual form.
  const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[|[\].]$/g, '') ?? '';
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || hosts.has(name);
}

async function refuse(reply: FastifyReply, status: number, text: string): Promise<void> {
  await reply.code(status).type('text/plain; charset=utf-8').send(text);
}
