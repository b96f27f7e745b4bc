// The real HTTP and gRPC listeners on free loopback ports over a RecordingStore, and a raw HTTP client that shows exactly
// what came back (fetch would decompress, retry and rewrite headers).
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { openAccess, type OpenedAccess } from '../../src/api/access/open-access.ts';
import { AnswerBudget } from '../../src/api/edge/answer-budget.ts';
import { openOtlpGrpc } from '../../src/api/listeners/grpc-listeners.ts';
import type { OpenServer } from '../../src/api/edge/open-server.ts';
import { openHttpServer } from '../../src/api/listeners/http-server.ts';
import { BodyPool } from '../../src/api/http/body-pool.ts';
import { Intake, type IntakeOptions } from '../../src/api/edge/intake.ts';
import type { TenantLimits } from '../../src/api/edge/tenant-limits.ts';
import type { Metrics } from '../../src/api/edge/metrics.ts';
import { testMetrics } from './test-metrics.ts';
import { parseConfig, type Config } from '../../src/config.ts';
import { createLogger, type LineLogger } from '../../src/base/logger.ts';
import { FakeReadiness } from './fake-readiness.ts';
import { RecordingStore } from './recording-store.ts';

export interface EdgeOptions {
  /** Flags beside the addresses. */
  readonly flags?: readonly string[];
  /** The folder of a built first page. */
  readonly uiDir?: string;
  readonly tenants?: TenantLimits;
  readonly redactor?: IntakeOptions['redactor'];
  /** Bytes of all bodies in flight. */
  readonly intakeBytesMax?: number;
}

export class EdgeServers implements AsyncDisposable {
  readonly logins: OpenedAccess;
  readonly store: RecordingStore;
  readonly http: OpenServer;
  readonly grpc: OpenServer;
  readonly intake: Intake;
  readonly bodies: BodyPool;
  readonly metrics: Metrics;
  readonly logger: LineLogger;
  readonly config: Config;
  readonly logLines: string[];
  readonly ready: FakeReadiness;

  constructor(parts: Omit<EdgeServers, typeof Symbol.asyncDispose | 'url' | 'post' | 'send'>) {
    this.logins = parts.logins;
    this.store = parts.store;
    this.http = parts.http;
    this.grpc = parts.grpc;
    this.intake = parts.intake;
    this.bodies = parts.bodies;
    this.metrics = parts.metrics;
    this.logger = parts.logger;
    this.config = parts.config;
    this.logLines = parts.logLines;
    this.ready = parts.ready;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.http.port}${path}`;
  }

  send(options: RawRequest): Promise<RawResponse> {
    return sendRaw(this.http.port, options);
  }

  /** POST to /insert/opentelemetry/v1/traces. */
  post(body: Uint8Array | string, headers: Record<string, string | string[]>): Promise<RawResponse> {
    return this.send({ method: 'POST', path: '/insert/opentelemetry/v1/traces', headers, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.http.close(), this.grpc.close()]);
    await this.bodies.close();
    this.logins[Symbol.dispose]();
  }
}

export async function openEdgeServers(options: EdgeOptions = {}): Promise<EdgeServers> {
  const flags = [...(options.flags ?? [])];
  for (const name of ['-httpListenAddr', '-otlpGRPCListenAddr']) {
    if (!flags.some((flag) => flag.startsWith(name))) flags.push(`${name}=127.0.0.1:0`);
  }
  const config = parseConfig(flags, {});
  const store = new RecordingStore();
  const logLines: string[] = [];
  const logger = createLogger({ write: (line) => void logLines.push(line) });
  const ready = new FakeReadiness();
  const { storageDataPath, shownFlags } = config;
  const metrics = testMetrics({ admin: store, storageDataPath, shownFlags });
  const { intakeBytesMax = 256 << 20 } = options;
  const intake = new Intake({
    ...config,
    writer: store,
    metrics,
    logger,
    intakeBytesMax,
    ...(options.tenants && { tenants: options.tenants }),
    redactor: options.redactor,
  });
  const bodies = new BodyPool();
  const logins = openAccess({ config, logger, countFailure: metrics.countLoginFailure });
  const { access } = logins;
  const parts = {
    config,
    access,
    intake,
    bodies,
    reader: store,
    archive: undefined,
    answers: new AnswerBudget(),
    version: '0.0.0',
    admin: store,
    metrics,
    logger,
    readiness: ready.readiness,
  };
  const http = await openHttpServer({
    ...parts,
    admin: store,
    digester: store,
    ...(options.uiDir === undefined ? {} : { uiDir: options.uiDir }),
  });
  const grpc = (await openOtlpGrpc(parts).catch(async (error: unknown) => {
    await http.close();
    throw error;
  }))!;
  return new EdgeServers({ logins, store, http, grpc, intake, bodies, metrics, logger, config, logLines, ready });
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: Uint8Array | string;
  /** Sends a Content-Length; default is chunked when there is a body, as the JS exporters do. */
  readonly hasLength?: boolean;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

/** One request on a connection of its own. */
export function sendRaw(port: number, options: RawRequest): Promise<RawResponse> {
  const { method, path, headers = {}, body, hasLength = false } = options;
  const length = hasLength && body !== undefined ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  return new Promise((resolve, reject) => {
    const sent = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path,
      headers: { ...headers, ...length },
      agent: false,
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, text: whole.toString() });
      });
    });
    if (body !== undefined) sent.write(body);
    sent.end();
  });
}
