// The exporter that pushes: it asks for the text of a scrape, as a scraper would, and sends it to each URL by the clock. It knows no
// metric but its own counter. A URL that does not answer delays neither the others nor the node; what it misses, the next push has.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Logger } from '../../base/logger.ts';
import { splitLogin } from '../../base/url-login.ts';
import type { Config } from '../../config.ts';
import { PROMETHEUS, type Exposition } from './exposition.ts';
import type { MetricFamily } from './metric-registry.ts';
import { otlpMetrics } from './otlp-metrics.ts';

/** The keys of Config that a push needs. */
export type PushConfig = Pick<
  Config,
  'pushUrls' | 'pushIntervalMs' | 'pushLabels' | 'pushHeaders' | 'isPushPlain' | 'pushFormat'
>;

export interface PushOptions {
  readonly urls: readonly string[];
  readonly intervalMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly isPlain: boolean;
  readonly exposition: Exposition;
  /** The text of a scrape. */
  readonly render: (exposition: Exposition) => Promise<string>;
  readonly count: (outcome: PushOutcome) => void;
  readonly logger: Logger;
}

export const PUSH_OUTCOMES = ['ok', 'failed'] as const;
export type PushOutcome = (typeof PUSH_OUTCOMES)[number];

/** The last push, when the process ends, takes no longer. */
const LAST_MAX_MS = 2_000;

const compress = promisify(gzip);

/** Pushes by the flags; undefined: there is no -pushmetrics.url. */
export function openPush(
  { pushUrls: urls, pushIntervalMs: intervalMs, pushHeaders: headers, isPushPlain: isPlain, ...config }: PushConfig,
  parts: Pick<PushOptions, 'render' | 'count' | 'logger'> & { readonly version: string },
): MetricsPush | undefined {
  if (urls.length === 0) return undefined;
  const { pushLabels: labels, pushFormat } = config;
  const resource = { 'service.name': 'tracelith', ...labels };
  const otlp = { resource, version: parts.version, startMs: performance.timeOrigin, nowMs: Date.now };
  const exposition = pushFormat === 'otlp' ? otlpMetrics(otlp) : withLabels(PROMETHEUS, labels);
  return new MetricsPush({ urls, intervalMs, headers, isPlain, exposition, ...parts });
}

export class MetricsPush {
  readonly #options: PushOptions;
  readonly #timer: NodeJS.Timeout;
  /** Places in `urls` to which the last push failed. */
  readonly #failing = new Set<number>();
  #pushing: Promise<void> | undefined;

  /** Pushes from now on. */
  constructor(options: PushOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), options.intervalMs).unref();
    this.#look();
  }

  /** Pushes once more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pushing;
    await this.#push(Math.min(LAST_MAX_MS, this.#options.intervalMs));
  }

  #look(): void {
    this.#pushing ??= this.#push(this.#options.intervalMs).finally(() => (this.#pushing = undefined));
  }

  async #push(maxMs: number): Promise<void> {
    const { urls, exposition, render, isPlain } = this.#options;
    const text = await render(exposition);
    const body = isPlain ? Buffer.from(text) : await compress(text);
    await Promise.all(urls.map((url, i) => this.#send(i, { url, body, maxMs })));
  }

  async #send(i: number, { url, body, maxMs }: { url: string; body: Buffer; maxMs: number }): Promise<void> {
    const { headers, exposition, isPlain, count } = this.#options;
    const encoding = isPlain ? {} : { 'content-encoding': 'gzip' };
    const login = splitLogin(url);
    const sent = { 'content-type': exposition.contentType, ...encoding, ...login.headers, ...headers };
    try {
      const signal = AbortSignal.timeout(maxMs);
      const answer = await fetch(login.url, { method: 'POST', headers: sent, body: new Uint8Array(body), signal });
      const said = await answer.text();
      if (!answer.ok) throw new Error(`HTTP ${answer.status} ${said.slice(0, 200)}`);
      count('ok');
      this.#tell(i);
    } catch (error) {
      count('failed');
      this.#tell(i, error);
    }
  }

  /** The first failure in a row, and its end. URLs may hold secrets, so the log has their hosts. */
  #tell(i: number, error?: unknown): void {
    const { urls, logger } = this.#options;
    const host = new URL(urls[i]!).host;
    if (error === undefined) {
      if (this.#failing.delete(i)) logger.info('metrics are pushed again', { host });
    } else if (!this.#failing.has(i)) {
      this.#failing.add(i);
      logger.warn('metrics cannot be pushed; the next pushes try again', { host, error });
    }
  }
}

/** `exposition` with `labels` added to each sample that lacks them. */
export function withLabels(exposition: Exposition, labels: Readonly<Record<string, string>>): Exposition {
  const labelled = ({ samples, ...family }: MetricFamily): MetricFamily => ({
    ...family,
    samples: samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
  });
  return { ...exposition, write: (families) => exposition.write(families.map(labelled)) };
}
