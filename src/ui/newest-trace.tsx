// The newest trace of a service as a small waterfall.
import { useEffect, useState } from 'preact/hooks';
import { formatCount, formatMicroseconds } from './format.ts';
import { Name } from './name.tsx';
import { tenantHeaders } from './status.ts';
import { traceRows, type JaegerTrace, type TraceRow } from './trace-rows.ts';

/** More do not fit a glance; the whole trace is one click away. */
const ROWS_MAX = 40;
const MINUTE_MS = 60_000;

interface Props {
  readonly service: string;
  /** The minute of its newest span, ms since the epoch. */
  readonly newestMs: number;
  readonly tenant: string;
}

export function NewestTrace({ service, newestMs, tenant }: Props) {
  const [found, setFound] = useState<JaegerTrace | string>();
  useEffect(() => {
    const leaving = new AbortController();
    findNewest({ service, newestMs, tenant }, leaving.signal).then(setFound, (error: unknown) => {
      if (!leaving.signal.aborted) setFound(`The trace cannot be shown: ${String(error)}`);
    });
    return () => leaving.abort();
  }, [service, newestMs, tenant]);
  if (found === undefined) return <p class="quiet">Looking for its newest trace…</p>;
  if (typeof found === 'string') return <p>{found}</p>;
  return <Waterfall trace={found} />;
}

async function findNewest({ service, newestMs, tenant }: Props, signal: AbortSignal): Promise<JaegerTrace | string> {
  const [start, end] = [newestMs * 1000, (newestMs + MINUTE_MS) * 1000 - 1].map(String) as [string, string];
  const query = new URLSearchParams({ service, start, end, limit: '1' });
  const response = await fetch(`api/traces?${query}`, { headers: tenantHeaders(tenant), signal });
  const answer = (await response.json()) as { data: JaegerTrace[] | null; errors: { msg: string }[] | null };
  const [trace] = answer.data ?? [];
  return trace ?? `No trace is found: ${answer.errors?.[0]?.msg ?? 'it may have been dropped meanwhile'}.`;
}

function Waterfall({ trace }: { trace: JaegerTrace }) {
  const { rows, durationUs, startMs } = traceRows(trace, ROWS_MAX);
  const rest = trace.spans.length - rows.length;
  return (
    <div class="waterfall">
      <p>
        <a href={`api/traces/${trace.traceID}?prettyPrint=true`}>
          <code>{trace.traceID}</code>
        </a>{' '}
        · {formatCount(trace.spans.length)} {trace.spans.length === 1 ? 'span' : 'spans'} ·{' '}
        {formatMicroseconds(durationUs)} ·{' '}
        <time dateTime={new Date(startMs).toISOString()}>{new Date(startMs).toISOString().replace('T', ' ')}</time>
      </p>
      <ol>
        {rows.map((row) => (
          <WaterfallRow key={row.spanId} row={row} />
        ))}
      </ol>
      {rest > 0 && <p class="quiet">and {formatCount(rest)} more</p>}
    </div>
  );
}

function WaterfallRow({ row }: { row: TraceRow }) {
  const { service, operation, depth, isError, durationUs, from, width } = row;
  return (
    <li class={isError ? 'error' : ''}>
      <span class="name" style={{ paddingInlineStart: `${Math.min(depth, 12) * 0.7}rem` }}>
        <Name text={service} kind="service" /> <Name text={operation} />
        {isError && <span class="mark"> error</span>}
      </span>
      <span class="track" aria-hidden="true">
        <span class="bar" style={{ insetInlineStart: `${100 * from}%`, inlineSize: `${100 * width}%` }} />
      </span>
      <span class="number">{formatMicroseconds(durationUs)}</span>
    </li>
  );
}
