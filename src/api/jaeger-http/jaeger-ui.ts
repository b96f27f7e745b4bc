// Serves an unpacked build of Jaeger UI (-jaegerui.dir; not part of this repository) under every prefix of Jaeger's API, so
// that the UI finds the API beside itself. What the UI must know of this server is put into its index.html in the places
// it keeps for that, as Jaeger does (contract/jaeger.md §2.8).
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { readWholeFile } from '../../disk/atomic-write.ts';
import type { Disk } from '../../disk/disk.ts';
import { leadsInside } from '../../disk/walk-files.ts';

export interface JaegerUiOptions {
  readonly disk: Disk;
  /** Folder of index.html and static/. */
  readonly dir: string;
  /** A UI configuration as Jaeger takes it, .json or .js; '' for none. */
  readonly configFile: string;
  readonly version: string;
  readonly capabilities: { readonly archiveStorage: boolean; readonly metricsStorage: boolean };
}

export interface JaegerUi {
  /** Nothing outside it is served, whatever links lead there. */
  readonly dir: string;
  readonly staticPath: string;
  /** The page, for a browser that finds the UI's mount at `base` as seen from the page's own URL: './', '../'. */
  readonly page: (base: string) => string;
}

/** Some 10 KB in every version. */
const INDEX_BYTES_MAX = 4 << 20;
/** The UI's own routes: reloaded there, the browser asks this server for them. */
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
/** Names that a build gives a file by its content: it never changes under its name. */
const HASHED_NAME = /[-.][\w-]{8,}\.\w+$/;
const MARKED_BASE = '<base href="/"';
const YEAR_SECONDS = 31_536_000;

/** Reads the build's page and the configuration, once. Throws CONFIG naming the flag. */
export function loadJaegerUi(options: JaegerUiOptions): JaegerUi {
  const { disk, dir, configFile, version, capabilities } = options;
  const html = readText(disk, join(dir, 'index.html'), `-jaegerui.dir=${dir}: expected an unpacked build of Jaeger UI`);
  const staticPath = join(dir, 'static');
  if (disk.stat(staticPath)?.isDirectory !== true) {
    throw new StoreError('CONFIG', `-jaegerui.dir=${dir}: expected an unpacked build of Jaeger UI, static/ is missing`);
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
  return { dir, staticPath, page: (base) => withBase(injected, base) };
}

/**
 * Relative, so that it is right behind any proxy. UI up to 2.17 has a base to be replaced; later ones make one by script,
 * too late for the browser, which has begun to fetch the page's relative links by then: the first base is the one that counts.
 */
function withBase(html: string, base: string): string {
  const isMarked = html.includes(MARKED_BASE);
  return isMarked
    ? html.replace(MARKED_BASE, `<base href="${base}"`)
    : html.replace('<head>', `<head>\n    <base href="${base}" />`);
}

/** What is replaced by a configuration, and by what. */
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

/** JSON that may stand in a script element. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

export interface UiMount {
  /** Where the API is: '' or as '/select/jaeger'. */
  readonly prefix: string;
  /** The same as a browser sees it, with -http.pathPrefix. */
  readonly path: string;
}

/** Registers the pages and files of the UI at one of its mounts. */
export async function registerJaegerUi(app: FastifyInstance, ui: JaegerUi, { prefix, path }: UiMount): Promise<void> {
  const send = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    sendPage(reply, ui.page(baseOf(request, path)));
  for (const page of PAGES) app.get(`${prefix}/${page}`, send);
  app.get(`${prefix}/`, { prefixTrailingSlash: 'slash' }, send);
  // Without the slash its relative links would lead beside it.
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
      void reply.header('cache-control', seconds).header('x-content-type-options', 'nosniff');
    },
  });
}

/**
 * Answers a browser that opens a path nobody knows with the page: newer UIs have more of them. False: it is none, or the
 * path is below none of the mounts.
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
  sendPage(reply, ui.page(baseOf(request, mount)));
  return true;
}

/** The way from the page asked for, as the browser knows it, up to the mount at `path`. */
function baseOf(request: FastifyRequest, path: string): string {
  const inside = request.originalUrl.split('?', 1)[0]!.slice(path.length + 1);
  return '../'.repeat(inside.split('/').length - 1) || './';
}

/** The page names its scripts by content: it must be asked for anew, they need not. */
function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    })
    .send(page);
}
