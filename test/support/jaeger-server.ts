// Jaeger's routes on a real socket over a MapReader.
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { FairBudget } from '../../src/base/fair-budget.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { guardNothing } from '../../src/api/access/guard-routes.ts';
import { BodyPool } from '../../src/api/http/body-pool.ts';
import { IntakeAccount } from '../../src/api/edge/intake.ts';
import type { JaegerOptions } from '../../src/api/jaeger-http/jaeger-http.ts';
import { AnswerBudget } from '../../src/api/edge/answer-budget.ts';
import { registerJaegerRoutes } from '../../src/api/jaeger-http/jaeger-v1.ts';
import type { Logger } from '../../src/base/logger.ts';
import { MapReader } from './map-reader.ts';

/** The server's clock. */
export const NOW_MS = 1_763_600_010_000;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface JaegerServer extends AsyncDisposable {
  readonly reader: MapReader;
  /** Messages that were logged. */
  readonly logged: string[];
  readonly origin: string;
  get(path: string, init?: RequestInit): Promise<Answer>;
  /** `data` of a 200; throws for any other status. */
  data(path: string): Promise<unknown>;
}

/** Listens on a free port; at most 50 traces a search. */
export async function openJaegerServer(more: Partial<JaegerOptions> = {}): Promise<JaegerServer> {
  const reader = new MapReader();
  const logged: string[] = [];
  const keep = (text: string): void => void logged.push(text);
  const logger: Logger = { info: keep, warn: keep, error: keep };
  const app = fastify({ logger: false, routerOptions: { maxParamLength: 16_384 } });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  const budget = new FairBudget(4 << 20);
  const intake = { jsonBytesMax: 1 << 20, open: (tenant: Tenant) => new IntakeAccount(budget, tenant) };
  const bodies = new BodyPool();
  const answers = new AnswerBudget();
  guardNothing(app);
  registerJaegerRoutes(app, { reader, intake, bodies, answers, maxTraces: 50, now: () => NOW_MS, logger, ...more });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const get = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`${origin}${path}`, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const data = async (path: string): Promise<unknown> => {
    const { status, text } = await get(path);
    if (status !== 200) throw new Error(`${path} was answered with ${status}: ${text}`);
    return (JSON.parse(text) as { data: unknown }).data;
  };
  return { reader, logged, origin, get, data, [Symbol.asyncDispose]: () => app.close() };
}

/** The envelope of an error. */
export function refused(status: number, message: string): string {
  return `{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":${status},"msg":${JSON.stringify(message)}}]}\n`;
}
