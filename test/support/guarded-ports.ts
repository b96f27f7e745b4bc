// All listeners of a node over a store that notes whose data it was asked for, and one question for HTTP and gRPC alike: was this
// request let in?
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { openAccess } from '../../src/api/access/open-access.ts';
import { AnswerBudget } from '../../src/api/edge/answer-budget.ts';
import { Intake } from '../../src/api/edge/intake.ts';
import { testMetrics } from './test-metrics.ts';
import type { OpenServer, ServedRoute } from '../../src/api/edge/open-server.ts';
import { BodyPool } from '../../src/api/http/body-pool.ts';
import { openJaegerGrpc, openOtlpGrpc, openStorageGrpc } from '../../src/api/listeners/grpc-listeners.ts';
import { openAdminHttp, openHttpServer, openOtlpHttp } from '../../src/api/listeners/http-server.ts';
import { archiveOfOneTenant, TenantsReader } from '../../src/cluster/tenants-reader.ts';
import { createLogger } from '../../src/base/logger.ts';
import { parseConfig } from '../../src/config.ts';
import { StoreError } from '../../src/base/errors.ts';
import type { SearchExplainer } from '../../src/trace/search-explanation.ts';
import type { SpanDigester } from '../../src/trace/span-digests.ts';
import type { TraceArchive, TraceReader, SpanWriter } from '../../src/trace/store.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { FakeReadiness } from './fake-readiness.ts';
import { MadeUi } from './made-ui.ts';
import { encodeRequest } from './otlp-proto.ts';
import { RecordingStore } from './recording-store.ts';
import { RICH_TRACE } from './rich-trace.ts';

export type PortName = 'http' | 'admin' | 'otlpHttp' | 'otlpGrpc' | 'grpc' | 'storage';
/** Those that speak gRPC. */
export const GRPC_PORTS: readonly PortName[] = ['otlpGrpc', 'grpc', 'storage'];
/**
 * 401 and UNAUTHENTICATED, and the same after too many failures (429); 403 and PERMISSION_DENIED; everything else is an answer of
 * what lies behind.
 */
export type Verdict = 'log in' | 'forbidden' | 'let in';
export type Headers = Readonly<Record<string, string>>;

const UNAUTHENTICATED = ['401', '16'];
const PERMISSION_DENIED = ['403', '7'];
const THROTTLED = /too many failed logins/;
const otlp = Buffer.from(encodeRequest(RICH_TRACE));

export class GuardedPorts implements AsyncDisposable {
  readonly ports: ReadonlyMap<PortName, OpenServer>;
  /** Tenants whose data the store was asked for, since the last clear. */
  readonly touched: Set<string>;
  readonly lines: string[];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #close: () => Promise<void>;

  constructor(parts: Pick<GuardedPorts, 'ports' | 'touched' | 'lines'>, close: () => Promise<void>) {
    this.ports = parts.ports;
    this.touched = parts.touched;
    this.lines = parts.lines;
    this.#close = close;
  }

  /** Whether a request on `route` of a port with these headers is let in. */
  async ask(port: PortName, { method, pattern }: ServedRoute, headers: Headers): Promise<Verdict> {
    const path = pattern.replace(/\*$/, 'a1b2c3d4e5f60718293a4b5c6d7e8f90').replaceAll(/:\w+/g, 'x') || '/';
    const number = this.ports.get(port)!.port;
    return GRPC_PORTS.includes(port)
      ? await this.#askGrpc(number, path, headers)
      : await this.#askHttp(number, { method, path }, headers);
  }

  #askHttp(port: number, asked: { method: string; path: string }, headers: Headers): Promise<Verdict> {
    const body = asked.path.endsWith('/v1/traces') && asked.method === 'POST' ? otlp : undefined;
    const type = body === undefined ? {} : { 'content-type': 'application/x-protobuf', 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, ...asked, headers: { ...type, ...headers }, agent: this.#agent };
      const sent = httpRequest(options, (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve(verdictOf(String(response.statusCode), text)));
      });
      sent.on('error', reject).end(body);
    });
  }

  #askGrpc(port: number, path: string, headers: Headers): Promise<Verdict> {
    const session = connect(`http://127.0.0.1:${port}`);
    return new Promise<Verdict>((resolve, reject) => {
      session.on('error', reject);
      const own = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
      const stream = session.request({ ...own, ...Object.fromEntries(Object.entries(headers).map(lower)) });
      stream.on('error', reject).on('response', (answer) => {
        resolve(verdictOf(String(answer['grpc-status']), decodeURI(String(answer['grpc-message']))));
      });
      const body = path.endsWith('/Export') ? otlp : Buffer.alloc(0);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([head, body]));
    }).finally(() => session.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.#close();
  }
}

function verdictOf(status: string, message: string): Verdict {
  if (UNAUTHENTICATED.includes(status) || THROTTLED.test(message)) return 'log in';
  return PERMISSION_DENIED.includes(status) ? 'forbidden' : 'let in';
}

function lower([name, value]: [string, string]): [string, string] {
  return [name.toLowerCase(), value];
}

/** Opens all listeners with `auth` as the file of -auth.config; undefined: without one. */
export async function openGuardedPorts(auth: object | undefined, flags: readonly string[] = []): Promise<GuardedPorts> {
  const folder = new TemporaryFolder();
  const ui = new MadeUi();
  const file = join(folder.path, 'auth.json');
  writeFileSync(file, JSON.stringify(auth ?? {}));
  // The first page as its build leaves it.
  mkdirSync(join(folder.path, 'ui'));
  writeFileSync(join(folder.path, 'index.html'), '<base href="./">');
  writeFileSync(join(folder.path, 'ui', 'main-1a2b3c4d.js'), '');
  const addresses = [
    'httpListenAddr',
    'otlpHTTPListenAddr',
    'otlpGRPCListenAddr',
    'grpc.listenAddr',
    'storage.listenAddr',
  ];
  const all = [
    ...addresses.map((name) => `-${name}=127.0.0.1:0`),
    '-purge.enable',
    `-jaegerui.dir=${ui.dir}`,
    ...flags,
  ];
  const config = parseConfig(auth === undefined ? all : [...all, `-auth.config=${file}`], {});
  const lines: string[] = [];
  const logger = createLogger({ write: (line) => void lines.push(line) });
  const touched = new Set<string>();
  const admin = new RecordingStore();
  const store = noting<TraceReader & SpanWriter>(admin, touched);
  const { storageDataPath, shownFlags } = config;
  const metrics = testMetrics({ admin, storageDataPath, shownFlags });
  const logins = openAccess({ config, logger, countFailure: metrics.countLoginFailure });
  const bodies = new BodyPool();
  const parts = {
    config,
    access: logins.access,
    intake: new Intake({ ...config, writer: store, metrics, logger }),
    bodies,
    reader: new TenantsReader(noting<TraceReader & SearchExplainer>(Object.assign(admin, NO_SEARCH), touched)),
    archive: archiveOfOneTenant(noting<TraceArchive>(EMPTY_ARCHIVE, touched)),
    answers: new AnswerBudget(),
    admin,
    metrics,
    logger,
    version: '0.0.0',
    uiDir: folder.path,
    readiness: new FakeReadiness().readiness,
    digester: noting<SpanDigester>(EMPTY_DAYS, touched),
  };
  const adminPort = await openAdminHttp(parts);
  const ports = new Map<PortName, OpenServer>([
    ['http', await openHttpServer(parts)],
    ...(adminPort === undefined ? [] : ([['admin', adminPort]] as const)),
    ['otlpHttp', (await openOtlpHttp(parts))!],
    ['otlpGrpc', (await openOtlpGrpc(parts))!],
    ['grpc', (await openJaegerGrpc(parts))!],
    ['storage', (await openStorageGrpc({ ...parts, explainer: NO_SEARCH, describe: () => ({ name: 'one' }) }))!],
  ]);
  return new GuardedPorts({ ports, touched, lines }, async () => {
    await Promise.all([...ports.values()].map((port) => port.close()));
    await bodies.close();
    logins[Symbol.dispose]();
    ui[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
}

const EMPTY_DAYS: SpanDigester = {
  digestSpans: async function* () {
    yield { records: new Uint8Array(0), spans: 0, warnings: [] };
  },
};

const NO_SEARCH: SearchExplainer = {
  explainSearch: () => Promise.reject(new StoreError('UNAVAILABLE', 'nothing is searched here')),
};

const EMPTY_ARCHIVE: TraceArchive = {
  isArchived: () => Promise.resolve(false),
  archiveTrace: () => Promise.resolve({ isFound: false, warnings: [] }),
  deleteArchived: () => Promise.resolve(false),
  purge: () => Promise.resolve(),
};

/** The port, noting the tenant of every call. */
function noting<Port extends object>(port: Port, touched: Set<string>): Port {
  return new Proxy(port, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const [call] = args as [{ readonly tenant?: string } | undefined];
        if (call?.tenant !== undefined) touched.add(call.tenant);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}
