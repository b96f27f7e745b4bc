// What a store answers, laid out for a person at a terminal: services, a search result, one trace as a waterfall.
import type { JaegerSpan, JaegerTrace } from './harness/jaeger-trace.ts';

// A trace of thousands of spans is not for a terminal.
const waterfallRowsMax = 40;
const barColumns = 32;

export function formatServices(services: readonly { name: string; operations: readonly string[] }[]): string {
  const rows = services.map(({ name, operations }) => [
    name,
    String(operations.length),
    ellipsis(operations.join(', '), 80),
  ]);
  return table(['service', 'operations', ''], rows, [1]);
}

export function formatSearch(traces: readonly JaegerTrace[]): string {
  const rows = traces.map((trace) => {
    const root = rootOf(trace);
    const { startUs, endUs } = extentOf(trace);
    const errors = trace.spans.filter((span) => span.isError).length;
    const start = new Date(startUs / 1000).toISOString().slice(11, 23);
    return [
      trace.traceId,
      `${root.service}: ${root.operation}`,
      start,
      formatDuration(endUs - startUs),
      String(trace.spans.length),
      errors === 0 ? '' : String(errors),
    ];
  });
  return table(['trace id', 'root', 'start (UTC)', 'duration', 'spans', 'errors'], rows, [3, 4, 5]);
}

/** The tree of a trace, children in start order, with each span's place in time as a bar. */
export function formatWaterfall(trace: JaegerTrace): string {
  const extent = extentOf(trace);
  const ids = new Set(trace.spans.map((span) => span.spanId));
  const children = Map.groupBy(trace.spans, ({ parentSpanId }) =>
    parentSpanId !== undefined && ids.has(parentSpanId) ? parentSpanId : '',
  );
  const rows: string[][] = [];
  const add = (parentId: string, depth: number): void => {
    const list = [...(children.get(parentId) ?? [])].sort((a, b) => a.startUs - b.startUs);
    for (const span of list) {
      rows.push([
        `${'  '.repeat(depth)}${ellipsis(span.operation, 60)}`,
        span.service,
        bar(span, extent),
        formatDuration(span.durationUs),
        span.isError ? 'error' : '',
      ]);
      add(span.spanId, depth + 1);
    }
  };
  add('', 0);
  const more = rows.length > waterfallRowsMax ? `\n… and ${rows.length - waterfallRowsMax} more spans` : '';
  return table(['operation', 'service', '', 'duration', ''], rows.slice(0, waterfallRowsMax), [3]) + more;
}

export function formatDuration(us: number): string {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(2)} ms`;
  return `${(us / 1e6).toFixed(2)} s`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, widths.map((width) => '─'.repeat(width)), ...rows].map((row) => `  ${line(row)}`).join('\n');
}

function rootOf(trace: JaegerTrace): JaegerSpan {
  const ids = new Set(trace.spans.map((span) => span.spanId));
  const roots = trace.spans.filter(({ parentSpanId }) => parentSpanId === undefined || !ids.has(parentSpanId));
  const first = [...roots].sort((a, b) => a.startUs - b.startUs)[0] ?? trace.spans[0];
  if (first === undefined) throw new Error(`trace ${trace.traceId} has no spans`);
  return first;
}

interface Extent {
  readonly startUs: number;
  readonly endUs: number;
}

function extentOf({ spans }: JaegerTrace): Extent {
  let startUs = Infinity;
  let endUs = -Infinity;
  for (const span of spans) {
    startUs = Math.min(startUs, span.startUs);
    endUs = Math.max(endUs, span.startUs + span.durationUs);
  }
  return { startUs, endUs };
}

function bar(span: JaegerSpan, { startUs, endUs }: Extent): string {
  const scale = barColumns / Math.max(1, endUs - startUs);
  const from = Math.min(barColumns - 1, Math.floor((span.startUs - startUs) * scale));
  const length = Math.max(1, Math.min(barColumns - from, Math.round(span.durationUs * scale)));
  return `${' '.repeat(from)}${'▇'.repeat(length)}`.padEnd(barColumns);
}

function ellipsis(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
