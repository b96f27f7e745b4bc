// One trace of Jaeger's JSON as the rows of a waterfall: depth first, children by start. Pure.

/** What the waterfall reads of GET api/traces. */
export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

interface JaegerSpan {
  readonly spanID: string;
  readonly operationName: string;
  readonly references?: readonly { readonly refType: string; readonly traceID: string; readonly spanID: string }[];
  /** µs since the epoch */
  readonly startTime: number;
  /** µs */
  readonly duration: number;
  readonly processID: string;
  readonly tags?: readonly { readonly key: string; readonly value: unknown }[];
}

export interface TraceRow {
  readonly spanId: string;
  readonly service: string;
  readonly operation: string;
  readonly depth: number;
  readonly isError: boolean;
  readonly durationUs: number;
  /** Shares of the trace's duration, 0 to 1. */
  readonly from: number;
  readonly width: number;
}

export interface TraceRows {
  readonly rows: readonly TraceRow[];
  readonly durationUs: number;
  /** ms since the epoch */
  readonly startMs: number;
}

/** At most `rowsMax` rows. A span whose parent is missing, or is its own descendant, stands at the top. */
export function traceRows({ spans, processes }: JaegerTrace, rowsMax: number): TraceRows {
  const startUs = Math.min(...spans.map(({ startTime }) => startTime));
  const durationUs = Math.max(...spans.map(({ startTime, duration }) => startTime + duration)) - startUs;
  const scale = Math.max(durationUs, 1);
  const toRow = (span: JaegerSpan, depth: number): TraceRow => ({
    spanId: span.spanID,
    service: processes[span.processID]?.serviceName ?? '',
    operation: span.operationName,
    depth,
    isError: span.tags?.some(({ key, value }) => key === 'error' && value === true) === true,
    durationUs: span.duration,
    from: (span.startTime - startUs) / scale,
    width: span.duration / scale,
  });
  return { rows: depthFirst(spans, rowsMax, toRow), durationUs, startMs: startUs / 1000 };
}

function depthFirst(
  spans: readonly JaegerSpan[],
  rowsMax: number,
  toRow: (span: JaegerSpan, depth: number) => TraceRow,
): TraceRow[] {
  const ordered = spans.toSorted((a, b) => a.startTime - b.startTime);
  const ids = new Set(ordered.map(({ spanID }) => spanID));
  const children = Map.groupBy(ordered, (span) => {
    const parent = span.references?.find(({ refType }) => refType === 'CHILD_OF')?.spanID;
    return parent !== undefined && ids.has(parent) ? parent : '';
  });
  const rows: TraceRow[] = [];
  const seen = new Set<JaegerSpan>();
  // What no root leads to is a circle: its earliest span stands for a root.
  for (const root of [...(children.get('') ?? []), ...ordered]) {
    const stack = [{ span: root, depth: 0 }];
    for (let next = stack.pop(); next !== undefined && rows.length < rowsMax; next = stack.pop()) {
      const { span, depth } = next;
      if (seen.has(span)) continue;
      seen.add(span);
      rows.push(toRow(span, depth));
      for (const child of (children.get(span.spanID) ?? []).toReversed()) stack.push({ span: child, depth: depth + 1 });
    }
  }
  return rows;
}
