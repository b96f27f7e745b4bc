// The newest trace of a service at a glance, with the way to the whole of it.
import { useAnswer } from './ask-node.ts';
import { formatCount, formatMicroseconds, formatTime } from './format.ts';
import { Name } from './name.tsx';
import { traceRows, type JaegerTrace, type TraceRow } from './trace-rows.ts';
import { hrefOf } from './use-place.ts';

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
  const [start, end] = [newestMs * 1000, (newestMs + MINUTE_MS) * 1000 - 1].map(String) as [string, string];
  const path = `api/traces?${new URLSearchParams({ service, start, end, limit: '1' })}`;
  const answer = useAnswer<{ data: readonly JaegerTrace[] | null }>(path, tenant);
  if (answer.state === 'asking') return <p class="quiet">Looking for its newest trace…</p>;
  if (answer.state === 'failed') return <p role="alert">{answer.problem}</p>;
  const trace = answer.value.data?.[0];
  return trace === undefined ? <p>It may have been dropped meanwhile.</p> : <Glance trace={trace} tenant={tenant} />;
}

function Glance({ trace, tenant }: { readonly trace: JaegerTrace; readonly tenant: string }) {
  const { rows, durationUs, startUs } = traceRows(trace, ROWS_MAX);
  const rest = trace.spans.length - rows.length;
  return (
    <div class="glance">
      <p>
        <a href={hrefOf({ view: 'trace', tenant, traceId: trace.traceID })}>
          <code>{trace.traceID}</code>
        </a>{' '}
        · {formatCount(trace.spans.length)} {trace.spans.length === 1 ? 'span' : 'spans'} ·{' '}
        {formatMicroseconds(durationUs)} · {formatTime(startUs / 1_000)}
      </p>
      <ol>
        {rows.map((row, i) => (
          <GlanceRow key={i} row={row} />
        ))}
      </ol>
      {rest > 0 && <p class="quiet">and {formatCount(rest)} more</p>}
    </div>
  );
}

function GlanceRow({ row }: { readonly row: TraceRow }) {
  const { service, span, depth, isError, from, width } = row;
  return (
    <li class={isError ? 'failed' : ''}>
      <span class="name" style={{ paddingInlineStart: `${Math.min(depth, 12) * 0.7}rem` }}>
        <Name text={service} kind="service" /> <Name text={span.operationName} />
        {isError && <span class="mark"> error</span>}
      </span>
      <span class="track" aria-hidden="true">
        <span class="bar" style={{ insetInlineStart: `${100 * from}%`, inlineSize: `${100 * width}%` }} />
      </span>
      <span class="number">{formatMicroseconds(span.duration)}</span>
    </li>
  );
}
