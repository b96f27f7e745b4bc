// One trace: what it is in figures, its waterfall, and the chosen span with everything it carries.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useAnswer } from './ask-node.ts';
import { formatCount, formatMicroseconds, formatTime } from './format.ts';
import { Name } from './name.tsx';
import { tracesOf } from './place.ts';
import { SpanDetails } from './span-details.tsx';
import { traceRows, type JaegerTrace } from './trace-rows.ts';
import { hrefOf } from './use-place.ts';
import { Warnings } from './warnings.tsx';
import { Waterfall } from './waterfall.tsx';

interface Props {
  readonly traceId: string;
  readonly tenant: string;
}

export function TraceView({ traceId, tenant }: Props) {
  const answer = useAnswer<{ data: readonly JaegerTrace[] }>(`api/traces/${traceId}`, tenant);
  useEffect(() => {
    document.title = `${traceId.slice(0, 8)} · Tracelith`;
  }, [traceId]);
  if (answer.state === 'asking') return <p class="quiet">Reading the trace…</p>;
  const trace = answer.state === 'here' ? answer.value.data[0] : undefined;
  if (answer.state === 'here' && trace !== undefined) {
    return (
      <>
        <Warnings text={answer.warnings} />
        <Shown trace={trace} tenant={tenant} />
      </>
    );
  }
  return (
    <p class="banner" role="alert">
      {answer.state === 'failed' ? answer.problem : `The node has no trace ${traceId}.`}
    </p>
  );
}

function Shown({ trace, tenant }: { readonly trace: JaegerTrace; readonly tenant: string }) {
  const { rows, durationUs, startUs } = useMemo(() => traceRows(trace, Infinity), [trace]);
  const [chosen, setChosen] = useState(0);
  const errors = useMemo(() => rows.filter(({ isError }) => isError).length, [rows]);
  const services = useMemo(() => new Set(rows.map(({ service }) => service)).size, [rows]);
  const root = rows[0];
  const row = rows[chosen];
  if (root === undefined || row === undefined) return <p>This trace has no spans.</p>;
  return (
    <>
      <section class="trace" aria-label="Trace">
        <h2>
          <Name text={root.service} kind="service" /> <Name text={root.span.operationName} />
        </h2>
        <p class="facts">
          <span>{formatTime(startUs / 1_000)}</span>
          <span>{formatMicroseconds(durationUs)}</span>
          <span>{countOf(rows.length, 'span')}</span>
          <span>{countOf(services, 'service')}</span>
          <span class={errors > 0 ? 'error' : ''}>{countOf(errors, 'error')}</span>
          <code>{trace.traceID}</code>
          <a href={hrefOf(tracesOf(root.service, tenant))}>newest of this service</a>
          <Downloads traceId={trace.traceID} tenant={tenant} />
        </p>
        <Waterfall {...{ rows, durationUs, errors, chosen, setChosen }} />
      </section>
      <SpanDetails {...{ row, trace, startUs, tenant }} />
    </>
  );
}

/** Links cannot name a tenant, so there are none where one has been chosen. */
function Downloads({ traceId, tenant }: Props) {
  if (tenant !== '') return null;
  return (
    <>
      <a href={`api/traces/${traceId}?prettyPrint=true`}>Jaeger JSON</a>
      <a href={`api/v3/traces/${traceId}`}>OTLP JSON</a>
    </>
  );
}

function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
