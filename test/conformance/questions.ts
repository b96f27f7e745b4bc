// Questions to a node and the shapes of Jaeger's answers, for the checks.
import { askJson, type Headers } from '../support/node-client.ts';
import type { JaegerTrace } from '../support/jaeger-view.ts';
import type { TestNode } from '../support/node-process.ts';

/** Jaeger's legacy envelope. */
export interface Envelope<T> {
  readonly data: T;
  readonly total: number;
  readonly limit: number;
  readonly offset: number;
  readonly errors: readonly { readonly code?: number; readonly msg: string; readonly traceID?: string }[] | null;
}

export interface TraceQuestion {
  readonly raw?: boolean;
  readonly headers?: Headers;
}

/** The one trace of GET /api/traces/{id}. */
export async function legacyTrace(node: TestNode, id: string, question: TraceQuestion = {}): Promise<JaegerTrace> {
  const { raw = false, headers = {} } = question;
  const { data } = await askJson<Envelope<JaegerTrace[]>>(node, `/api/traces/${id}${raw ? '?raw=true' : ''}`, headers);
  if (data.length !== 1) throw new Error(`/api/traces/${id}: ${data.length} traces`);
  return data[0]!;
}

/** GET of `path` with `params`, escaped. */
export function pathOf(path: string, params: Readonly<Record<string, string | number | bigint>>): string {
  const entries = Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]);
  return `${path}?${new URLSearchParams(entries).toString()}`;
}

/** Short ids of a search's traces, without leading zeros, in the order of the answer. */
export async function foundIds(node: TestNode, path: string, headers: Headers = {}): Promise<string[]> {
  const { data } = await askJson<Envelope<JaegerTrace[]>>(node, path, headers);
  return data.map(({ traceID }) => traceID.replace(/^0+/, ''));
}

/** Where Jaeger's API is answered without a flag. */
export const PREFIXES: readonly string[] = ['', '/select/jaeger', '/jaeger'];

/** What jaeger.expression.v1 has: E11 evaluates all of it, G5 advertises it. */
export const FILTER_LEVELS: readonly string[] = ['resource', 'scope', 'span', 'event', 'link'];
export const FILTER_OPERATORS: readonly string[] = 'and or not eq ne gt lt gte lte regex exists in not_in some'.split(
  ' ',
);
