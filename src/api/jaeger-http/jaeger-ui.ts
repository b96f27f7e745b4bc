// Serves an unpacked build of Jaeger UI (-jaegerui.dir; not part of this repository) under every prefix of Jaeger's API, so
// that the UI finds the API under its own prefix. Settings of this server are inserted into the placeholders in the UI's
// index.html, as Jaeger does (contract/jaeger.md §2.8).
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { readWholeFile } from '../../disk/atomic-write.ts';
import type { Disk } from '../../disk/disk.ts';
import { leadsInside } from '../../disk/walk-files.ts';
import { pagePolicy } from '../http/security-headers.ts';

export interface JaegerUiOptions {
  readonly disk: Disk;
  /** Folder of index.html and static/. */
  readonly dir: string;
  /** A UI configuration as Jaeger takes it, .json or .js; '' for none. */
  readonly configFile: string;
  /** -http.header.csp: replaces the page's own policy; '' keeps it. */
  readonly cspHeader?: string;
  readonly version: string;
  readonly capabilities: { readonly archiveStorage: boolean; readonly metricsStorage: boolean };
}

export interface JaegerUi {
  /** No file outside it is served, even through links. */
  readonly dir: string;
  readonly staticPath: string;
  /** The page, with `base` as the path of the UI's mount relative to the page's own URL: './', '../'. */
  readonly page: (base: string) => string;
  /** Content-Security-Policy of the page and its files. */
  readonly policy: string;
}

/** Every version has some 10 KB. */
const INDEX_BYTES_MAX = 4 << 20;
/** The UI's own routes: if such a page is reloaded, the browser requests it from this server. */
const PAGES = [
  'search',
  'trace',
  'trace/*',
  'dependencies',
  'deep-dependencies',
  'monitor',
  'quality-metrics',
  'plexus-demo',
];
/** File names that contain a hash of the content, so that the file never changes under its name. */
const HASHED_NAME = /[-.][\w-]{8,}\.\w+$/;
const EXPECTED_BUILD = 'expected the folder into which assets.tar.gz of a jaeger-ui release was unpacked';
const MARKED_BASE = '<base href="/"';
const YEAR_SECONDS = 31_536_000;

/** Reads the build's page and the configuration, once. Throws CONFIG, naming the flag. */
export function loadJaegerUi(options: JaegerUiOptions): JaegerUi {
  const { disk, dir, configFile, version, capabilities, cspHeader = '' } = options;
  const html = readText(disk, join(dir, 'index.html'), `-jaegerui.dir=${dir}: ${EXPECTED_BUILD}`);
  const staticPath = join(dir, 'static');
  if (disk.stat(staticPath)?.isDirectory !== true) {
    throw new StoreError('CONFIG', `-jaegerui.dir=${dir}: ${EXPECTED_BUILD}: static/ is missing`);
  }
  for (const path of [join(dir, 'index.html'), staticPath]) {
    if (!leadsInside(dir, path))
      throw new StoreError('CONFIG', `-jaegerui.dir=${dir}: ${path} is a link that leads out of it`);
  }
  const backend = { ...capabilities, searchWithoutServiceName: true, aiAssistant: false };
  const replacements: readonly [RegExp, string][] = [
    ...(configFile === '' ? [] : [readConfig(disk, configFile)]),
    [
      /JAEGER_STORAGE_CAPABILITIES *= *DEFAULT_STORAGE_CAPABILITIES;/,
      `JAEGER_STORAGE_CAPABILITIES = ${scriptJson(capabilities)};`,
    ],
    [
      /JAEGER_BACKEND_CAPABILITIES *= *DEFAULT_BACKEND_CAPABILITIES;/,
      `JAEGER_BACKEND_CAPABILITIES = ${scriptJson(backend)};`,
    ],
    [
      /JAEGER_VERSION *= *DEFAULT_VERSION;/,
      `JAEGER_VERSION = ${scriptJson({ gitCommit: '', gitVersion: `tracelith ${version}`, buildDate: '' })};`,
    ],
  ];
  const injected = replacements.reduce((text, [pattern, put]) => text.replace(pattern, () => put), html);
  const policy = cspHeader === '' ? pagePolicy(injected) : cspHeader;
  return { dir, staticPath, page: (base) => withBase(injected, base), policy };
}

/**
 * Sets a relative base, which works behind any proxy. UIs up to 2.17 have a base to replace. Later ones set one by script, too
 * late: the browser has begun to fetch the page's relative links by then. The first base in the page takes effect.
 */
function withBase(html: string, base: string): string {
  const isMarked = html.includes(MARKED_BASE);
  return isMarked
    ? html.replace(MARKED_BASE, `<base href="${base}"`)
    : html.replace('<head>', `<head>\n    <base href="${base}" />`);
}

/** The placeholder that a configuration replaces, and its replacement. */
function readConfig(disk: Disk, file: string): [RegExp, string] {
  const text = readText(disk, file, `-jaegerui.config=${file}`);
  if (file.toLowerCase().endsWith('.js')) {
    if (!/function\s+UIConfig\s*\(\s*\)\s*\{/.test(text)) {
      throw new StoreError('CONFIG', `-jaegerui.config=${file}: expected a function UIConfig() in it`);
    }
    return [/^\s*\/\/\s*JAEGER_CONFIG_JS.*\n.*/im, text.trim()];
  }
  if (!file.toLowerCase().endsWith('.json')) {
    throw new StoreError('CONFIG', `-jaegerui.config=${file}: expected a name that ends in .json or .js`);
  }
  return [/JAEGER_CONFIG *= *DEFAULT_CONFIG;/, `JAEGER_CONFIG = ${scriptJson(parseObject(text, file))};`];
}

function parseObject(text: string, file: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new StoreError('CONFIG', `-jaegerui.config=${file}: ${String(cause)}`, { cause });
  }
  throw new StoreError('CONFIG', `-jaegerui.config=${file}: expected a JSON object in it`);
}

function readText(disk: Disk, path: string, prefix: string): string {
  if (disk.stat(path) === undefined) throw new StoreError('CONFIG', `${prefix}: ${path} does not exist`);
  try {
    return Buffer.from(readWholeFile(disk, path, INDEX_BYTES_MAX)).toString('utf8');
  } catch (cause) {
    if (!isStoreError(cause)) throw cause;
    throw new StoreError('CONFIG', `${prefix}: ${cause.message}`, { cause });
  }
}

/** JSON that is safe inside a script element. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

export interface UiMount {
  /** The prefix of the API: '' or for example '/select/jaeger'. */
  readonly prefix: string;
  /** The same as a browser sees it, with -http.pathPrefix. */
  readonly path: string;
}

/** Registers the pages and files of the UI at one of its mounts. */
export async function registerJaegerUi(app: FastifyInstance, ui: JaegerUi, { prefix, path }: UiMount): Promise<void> {
  const send = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    sendPage(reply, ui, baseOf(request, path));
  for (const page of PAGES) app.get(`${prefix}/${page}`, send);
  app.get(`${prefix}/`, { prefixTrailingSlash: 'slash' }, send);
  // Without the final slash, the page's relative links would lead to the parent path.
  if (path !== '') app.get(prefix, async (_request, reply) => reply.redirect(`${path}/`, 302));
  await app.register(fastifyStatic, {
    root: ui.staticPath,
    allowedPath: (name) => leadsInside(ui.dir, join(ui.staticPath, name)),
    prefix: `${prefix}/static/`,
    decorateReply: false,
    dotfiles: 'ignore',
    index: false,
    cacheControl: false,
    setHeaders: (reply, file) => {
      const seconds = HASHED_NAME.test(file) ? `max-age=${YEAR_SECONDS}, immutable` : 'no-cache';
      void reply.header('cache-control', seconds).header('content-security-policy', ui.policy);
    },
  });
}

/**
 * If a browser opens an unknown path below a mount, answers with the page, because newer UIs have more routes. False: it is
 * another client, or the path is below none of the mounts.
 */
export function sendUnknownPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { ui, paths }: { readonly ui: JaegerUi; readonly paths: readonly string[] },
): boolean {
  const isBrowser = request.method === 'GET' && request.headers.accept?.includes('text/html') === true;
  const below = paths.filter((path) => request.url.startsWith(`${path}/`));
  const [mount] = below.toSorted((a, b) => b.length - a.length);
  if (!isBrowser || mount === undefined) return false;
  sendPage(reply, ui, baseOf(request, mount));
  return true;
}

/** The relative path from the requested page, as the browser sees it, up to the mount at `path`. */
function baseOf(request: FastifyRequest, path: string): string {
  const inside = request.originalUrl.split('?', 1)[0]!.slice(path.length + 1);
  return '../'.repeat(inside.split('/').length - 1) || './';
}

/** The page must be revalidated; its scripts, whose names contain a hash of their content, need not. */
function sendPage(reply: FastifyReply, ui: JaegerUi, base: string): FastifyReply {
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-security-policy': ui.policy,
    })
    .send(ui.page(base));
}
