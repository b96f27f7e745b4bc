// Two traces side by side: what each is, and what each step takes in both, the largest difference first.
import { useEffect, useMemo } from 'preact/hooks';
import { useAnswer } from './ask-node.ts';
import { compareTraces, type ComparedStep } from './compare-traces.ts';
import { formatCount, formatMicroseconds, formatTime } from './format.ts';
import { Name } from './name.tsx';
import { traceRows, type JaegerTrace } from './trace-rows.ts';
import { hrefOf } from './use-place.ts';
import { Warnings } from './warnings.tsx';

interface Props {
  readonly traceId: string;
  readonly other: string;
  readonly tenant: string;
}

/** Further ones differ less; a trace has rarely so many. */
const STEPS_MAX = 200;

export function TraceCompare({ traceId, other, tenant }: Props) {
  const answers = [useTrace(traceId, tenant), useTrace(other, tenant)] as const;
  useEffect(() => {
    document.title = `${traceId.slice(0, 8)} and ${other.slice(0, 8)} · Tracelith`;
  }, [traceId, other]);
  const problems = answers.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) {
    return (
      <p class="banner" role="alert">
        {problems.join(' ')}
      </p>
    );
  }
  const [{ trace: first }, { trace: second }] = answers;
  if (first === undefined || second === undefined) return <p class="quiet">Reading the traces…</p>;
  return (
    <section aria-labelledby="compare">
      <h2 id="compare">Two traces compared</h2>
      {answers.map(({ warnings = '' }, i) => (
        <Warnings key={i} text={warnings} />
      ))}
      <Facts name="First" trace={first} tenant={tenant} />
      <Facts name="Second" trace={second} tenant={tenant} />
      <Steps first={first} second={second} />
    </section>
  );
}

interface Asked {
  readonly trace?: JaegerTrace;
  readonly problem?: string;
  readonly warnings?: string;
}

function useTrace(traceId: string, tenant: string): Asked {
  const answer = useAnswer<{ data: readonly JaegerTrace[] }>(`api/traces/${traceId}`, tenant);
  if (answer.state === 'asking') return {};
  if (answer.state === 'failed') return { problem: answer.problem };
  const [trace] = answer.value.data;
  return trace === undefined ? { problem: `The node has no trace ${traceId}.` } : { trace, warnings: answer.warnings };
}

function Facts({
  name,
  trace,
  tenant,
}: {
  readonly name: string;
  readonly trace: JaegerTrace;
  readonly tenant: string;
}) {
  const { rows, durationUs, startUs } = useMemo(() => traceRows(trace, 1), [trace]);
  const [root] = rows;
  return (
    <p class="facts">
      <strong>{name}</strong>
      <a href={hrefOf({ view: 'trace', tenant, traceId: trace.traceID })}>
        <Name text={root?.service ?? ''} kind="service" /> <Name text={root?.span.operationName ?? ''} />
      </a>
      <span>{formatTime(startUs / 1_000)}</span>
      <span>{formatMicroseconds(durationUs)}</span>
      <span>{formatCount(trace.spans.length)} spans</span>
      <code>{trace.traceID}</code>
    </p>
  );
}

function Steps({ first, second }: { readonly first: JaegerTrace; readonly second: JaegerTrace }) {
  const steps = useMemo(() => compareTraces(first, second), [first, second]);
  return (
    <>
      <p class="quiet">
        A step is all spans of one service and name; its own time is that in which none of their children ran.
        {steps.length > STEPS_MAX &&
          ` The ${STEPS_MAX} of ${formatCount(steps.length)} steps that differ most are shown.`}
      </p>
      <table class="traces">
        <thead>
          <tr>
            <th scope="col">step</th>
            <th scope="col" class="number">
              spans
            </th>
            <th scope="col" class="number wide">
              own time, first
            </th>
            <th scope="col" class="number wide">
              own time, second
            </th>
            <th scope="col" class="number">
              difference
            </th>
          </tr>
        </thead>
        <tbody>
          {steps.slice(0, STEPS_MAX).map((step) => (
            <StepLine key={JSON.stringify([step.service, step.operation])} step={step} />
          ))}
        </tbody>
      </table>
    </>
  );
}

function StepLine({ step: { service, operation, figures, moreUs } }: { readonly step: ComparedStep }) {
  const [first, second] = figures;
  const spans =
    first.spans === second.spans
      ? formatCount(first.spans)
      : `${formatCount(first.spans)} → ${formatCount(second.spans)}`;
  const sign = moreUs > 0 ? '+' : moreUs < 0 ? '−' : '';
  return (
    <tr>
      <th scope="row">
        {second.errors > first.errors && <span class="error">more errors </span>}
        <Name text={service} kind="service" /> <Name text={operation} />
      </th>
      <td class="number">{spans}</td>
      <td class="number wide">{formatMicroseconds(first.ownUs)}</td>
      <td class="number wide">{formatMicroseconds(second.ownUs)}</td>
      <td class="number">
        {sign}
        {formatMicroseconds(Math.abs(moreUs))}
      </td>
    </tr>
  );
}
