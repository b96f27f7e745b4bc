// Grafana's Jaeger data source (plugin 13, contract/jaeger.md §3): its very requests, its Go types' strictness, and what it
// makes of the answers. A Grafana itself cannot run here.
import { gunzipSync } from 'node:zlib';
import type { JaegerTrace } from './jaeger-view.ts';
import type { TestNode } from './node-process.ts';
import { sendRaw } from './raw-http.ts';
import { legacySchemas } from './schemas/legacy.ts';
import { expectShape } from './schemas/strict-json.ts';
import type { z } from 'zod';

export interface DatasourceOptions {
  /** Path of the data source's URL, for example /select/jaeger. */
  readonly basePath?: string;
  /** Custom headers of the data source. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The fields of Explore's search form that are filled in. */
export interface SearchForm {
  readonly service: string;
  readonly operation?: string;
  /** logfmt, as typed. */
  readonly tags?: string;
  readonly minDuration?: string;
  readonly maxDuration?: string;
  readonly limit?: number;
}

/** The panel's time range, ms since the epoch. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** One line of the search result. */
export interface ResultRow {
  readonly traceID: string;
  readonly traceName: string;
  readonly startTime: number;
}

export interface NodeGraph {
  readonly nodes: readonly string[];
  readonly edges: readonly { readonly id: string; readonly mainStat: number }[];
}

interface Link {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

export class GrafanaDatasource {
  readonly #node: TestNode;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(node: TestNode, { basePath = '', headers = {} }: DatasourceOptions = {}) {
    this.#node = node;
    this.#base = basePath;
    this.#headers = headers;
  }

  /** Save & test: what it says under the button. */
  async saveAndTest(): Promise<string> {
    const services = await this.services();
    return services.length > 0 ? 'Data source is working' : 'Data source connected, but no services received.';
  }

  async services(): Promise<string[]> {
    return await this.#data<string[]>('/api/services', legacySchemas.services);
  }

  /** Go's url.JoinPath leaves the slashes of a service as they are, and unescapes nothing. */
  async operations(service: string): Promise<string[]> {
    const path = `/api/services/${service.split('/').map(escapeSegment).join('/')}/operations`;
    return (await this.#data<string[] | null>(path, legacySchemas.operationNames)) ?? [];
  }

  /** Rows as Explore shows them: newest first. */
  async search(form: SearchForm, { fromMs, toMs }: TimeRange): Promise<ResultRow[]> {
    const params = new URLSearchParams({ service: form.service });
    for (const name of ['operation', 'minDuration', 'maxDuration'] as const) {
      const value = form[name];
      if (value !== undefined && value !== '') params.set(name, value);
    }
    if (form.tags !== undefined) params.set('tags', JSON.stringify(logfmt(form.tags)));
    if (form.limit !== undefined && form.limit > 0) params.set('limit', String(form.limit));
    params.set('start', String(fromMs * 1_000));
    params.set('end', String(toMs * 1_000));
    const traces = await this.#data<JaegerTrace[]>(`/api/traces?${params.toString()}`, legacySchemas.traces);
    return traces.map(rowOf).sort((a, b) => b.startTime - a.startTime);
  }

  /** What the trace view renders: data[0]. With `timeParams` the panel's range is sent, in ms. */
  async trace(id: string, timeParams?: TimeRange): Promise<JaegerTrace> {
    const hint = timeParams === undefined ? '' : `?start=${timeParams.fromMs}&end=${timeParams.toMs}`;
    const [trace] = await this.#data<JaegerTrace[]>(
      `/api/traces/${encodeURIComponent(id)}${hint}`,
      legacySchemas.oneTrace,
    );
    return trace!;
  }

  async dependencyGraph({ fromMs, toMs }: TimeRange): Promise<NodeGraph> {
    const path = `/api/dependencies?endTs=${toMs}&lookback=${toMs - fromMs}`;
    const links = await this.#data<Link[]>(path, legacySchemas.dependencies);
    return {
      nodes: [...new Set(links.flatMap(({ parent, child }) => [parent, child]))].sort(),
      edges: links.map(({ parent, child, callCount }) => ({ id: `${parent}--${child}`, mainStat: callCount })),
    };
  }

  /** With the toggle jaegerEnableGrpcEndpoint: over API v3, times unescaped. */
  async v3(path: string): Promise<unknown> {
    return JSON.parse(await this.#get(path));
  }

  async #data<T>(path: string, schema: z.ZodType): Promise<T> {
    const text = await this.#get(path);
    expectShape(schema, text, path);
    return (JSON.parse(text) as { data: T }).data;
  }

  /** Go's transport offers gzip and undoes it; any status but 200 is an error with the status alone. */
  async #get(path: string): Promise<string> {
    const headers = { 'user-agent': 'Grafana/12.3.0', 'accept-encoding': 'gzip', ...this.#headers };
    const reply = await sendRaw(this.#node, this.#base + path, { headers });
    if (reply.status !== 200) throw new Error(`request failed: ${reply.status}`);
    return (reply.headers['content-encoding'] === 'gzip' ? gunzipSync(reply.body) : reply.body).toString();
  }
}

/** Go's url.PathEscape of a segment, with what JoinPath leaves alone. */
function escapeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%2B', '+').replaceAll('%3A', ':').replaceAll('%40', '@');
}

/** The root of a result row is the first span by start: its service and operation are the name. */
function rowOf({ traceID, spans, processes }: JaegerTrace): ResultRow {
  const first = spans.toSorted((a, b) => a.startTime - b.startTime)[0]!;
  const { serviceName } = processes[first.processID]!;
  return { traceID, traceName: `${serviceName}: ${first.operationName}`, startTime: first.startTime };
}

/** `a=1 b="x y"` as a map of strings; a bare word is true. */
function logfmt(text: string): Record<string, string> {
  const pairs = text.matchAll(/([^\s=]+)(?:=(?:"((?:[^"\\]|\\.)*)"|(\S*)))?/g);
  return Object.fromEntries(Array.from(pairs, ([, key, quoted, bare]) => [key!, quoted ?? bare ?? 'true']));
}
