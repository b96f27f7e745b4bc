// One trace of Jaeger's JSON as the rows of a waterfall: depth first, children by start. Pure.

/** What the waterfall reads of GET api/traces. */
export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, JaegerProcess>>;
}

export interface JaegerProcess {
  readonly serviceName: string;
  readonly tags?: readonly JaegerTag[];
}

export interface JaegerTag {
  readonly key: string;
  readonly value: unknown;
}

export interface JaegerSpan {
  readonly spanID: string;
  readonly operationName: string;
  readonly references?: readonly { readonly refType: string; readonly traceID: string; readonly spanID: string }[];
  /** µs since the epoch */
  readonly startTime: number;
  /** µs */
  readonly duration: number;
  readonly processID: string;
  readonly tags?: readonly JaegerTag[];
  readonly logs?: readonly { readonly timestamp: number; readonly fields: readonly JaegerTag[] }[] | null;
  readonly warnings?: readonly string[] | null;
}

export interface TraceRow {
  readonly span: JaegerSpan;
  readonly service: string;
  readonly depth: number;
  readonly isError: boolean;
  /** Shares of the trace's duration, 0 to 1. */
  readonly from: number;
  readonly width: number;
}

export interface TraceRows {
  readonly rows: readonly TraceRow[];
  readonly durationUs: number;
  /** µs since the epoch */
  readonly startUs: number;
}

/** At most `rowsMax` rows. A span whose parent is missing, or is its own descendant, stands at the top. */
export function traceRows({ spans, processes }: JaegerTrace, rowsMax: number): TraceRows {
  let startUs = Infinity;
  let endUs = -Infinity;
  for (const { startTime, duration } of spans) {
    startUs = Math.min(startUs, startTime);
    endUs = Math.max(endUs, startTime + duration);
  }
  const scale = Math.max(endUs - startUs, 1);
  const toRow = (span: JaegerSpan, depth: number): TraceRow => ({
    span,
    service: processes[span.processID]?.serviceName ?? '',
    depth,
    isError: span.tags?.some(({ key, value }) => key === 'error' && value === true) === true,
    from: (span.startTime - startUs) / scale,
    width: span.duration / scale,
  });
  return { rows: depthFirst(spans, rowsMax, toRow), durationUs: endUs - startUs, startUs };
}

function depthFirst(
  spans: readonly JaegerSpan[],
  rowsMax: number,
  toRow: (span: JaegerSpan, depth: number) => TraceRow,
): TraceRow[] {
  const ordered = spans.toSorted((a, b) => a.startTime - b.startTime);
  const ids = new Set(ordered.map(({ spanID }) => spanID));
  const children = Map.groupBy(ordered, (span) => {
    const parent = parentOf(span);
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

/** The parent's span id, if the span names one. */
export function parentOf({ references }: JaegerSpan): string | undefined {
  return references?.find(({ refType }) => refType === 'CHILD_OF')?.spanID;
}
