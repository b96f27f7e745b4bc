// The first page: its files, which deploy/build-ui.mjs has made from src/ui/, and the status they show. Everything is held in
// memory and served by exact name, so no path can lead out of the folder. The page may load nothing from elsewhere (CSP).
import { extname, join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readWholeFile } from '../../disk/atomic-write.ts';
import type { Disk } from '../../disk/disk.ts';
import type { HomeEndpoint, HomeStatus } from '../../ui/home-status.ts';
import { principalOf, tenantOf } from '../access/guard-routes.ts';
import type { HomeStatusReader } from './home-status.ts';

export interface HomeFiles {
  readonly html: string;
  /** By file name, which contains a hash of the content. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

/** The built files are some 50 KB. */
const FILE_BYTES_MAX = 4 << 20;
const YEAR_SECONDS = 31_536_000;
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const BASE = '<base href="./"';
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const HEADERS = {
  'content-security-policy': POLICY,
  'cache-control': 'no-cache',
};

/** Reads the folder that the build made; undefined: it has not been built. Throws DISK. */
export function loadHome(disk: Disk, dir: string): HomeFiles | undefined {
  const read = (path: string): Uint8Array => readWholeFile(disk, path, FILE_BYTES_MAX);
  const index = join(dir, 'index.html');
  if (disk.stat(index) === undefined) return undefined;
  const names = disk.list(join(dir, 'ui')).filter((name) => MEDIA_TYPES[extname(name)] !== undefined);
  const assets = new Map(names.map((name) => [name, read(join(dir, 'ui', name))]));
  return { html: Buffer.from(read(index)).toString('utf8'), assets };
}

export interface HomeOptions {
  /** undefined: not built; the page is a line of text that says so. */
  readonly files: HomeFiles | undefined;
  readonly status: Pick<HomeStatusReader, 'read'>;
  readonly version: string;
  /** As clients see it, with -http.pathPrefix; '' at the root. */
  readonly path: string;
  /** False: Jaeger UI has the root, and the page is at /ui alone. */
  readonly isAtRoot: boolean;
  /** What the listener serves. */
  readonly endpoints: readonly HomeEndpoint[];
}

export function registerHome(app: FastifyInstance, options: HomeOptions): void {
  const { files, status, path } = options;
  const send = (request: FastifyRequest, reply: FastifyReply): void => sendPage(request, reply, options);
  app.get('/ui', send);
  if (options.isAtRoot) {
    app.get('/', { prefixTrailingSlash: 'slash' }, send);
    // Without the final slash, the page's relative links would lead to the parent path.
    if (path !== '') app.get('', async (_request, reply) => reply.redirect(`${path}/`, 302));
  }
  app.get('/ui/status.json', async (request, reply): Promise<HomeStatus> => {
    void reply.header('cache-control', 'no-store');
    return await status.read(tenantOf(request), principalOf(request));
  });
  for (const [name, bytes] of files?.assets ?? []) {
    const type = MEDIA_TYPES[extname(name)]!;
    app.get(`/ui/${name}`, async (_request, reply) => {
      void reply.headers({ ...HEADERS, 'cache-control': `max-age=${YEAR_SECONDS}, immutable` });
      return reply.type(type).send(Buffer.from(bytes));
    });
  }
}

/** Browsers get the page; other clients a text, because a person at a terminal asks too. */
function sendPage(request: FastifyRequest, reply: FastifyReply, options: HomeOptions): void {
  const { files } = options;
  void reply.headers(HEADERS).header('vary', 'accept');
  const isBrowser = request.headers.accept?.includes('text/html') === true;
  if (!isBrowser || files === undefined) {
    void reply.type('text/plain; charset=utf-8').send(pageText(options, isBrowser));
    return;
  }
  // The page's links are relative to the mount, whether it was asked for as /, /ui or /ui/.
  const isBelow = request.originalUrl.split('?', 1)[0]!.endsWith('/ui/');
  void reply.type('text/html; charset=utf-8').send(isBelow ? files.html.replace(BASE, '<base href="../"') : files.html);
}

function pageText({ version, path, endpoints }: HomeOptions, isUnbuilt: boolean): string {
  const rows = endpoints.map(
    ({ method, path: below, meaning }) => `${method.padEnd(5)}${path}/${below}  (${meaning})\n`,
  );
  const hint = isUnbuilt ? 'The page for browsers is not built: run `node deploy/build-ui.mjs`, then restart.\n\n' : '';
  return `Tracelith ${version} stores traces.\n\n${hint}${rows.join('')}`;
}
