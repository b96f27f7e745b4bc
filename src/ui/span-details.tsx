// Everything that one span carries: times, attributes, resource, events, links.
import { useState } from 'preact/hooks';
import { formatCount, formatMicroseconds } from './format.ts';
import { Name } from './name.tsx';
import { parentOf, type JaegerSpan, type JaegerTag, type JaegerTrace, type TraceRow } from './trace-rows.ts';
import { isTraceId } from './place.ts';
import { hrefOf } from './use-place.ts';

interface Props {
  readonly row: TraceRow;
  readonly trace: JaegerTrace;
  /** The start of the trace, µs since the epoch. */
  readonly startUs: number;
  readonly tenant: string;
}

export function SpanDetails({ row: { span, service }, trace, startUs, tenant }: Props) {
  const parent = parentOf(span);
  const facts: (readonly [string, string])[] = [
    ['starts after', formatMicroseconds(span.startTime - startUs)],
    ['takes', formatMicroseconds(span.duration)],
    ['span id', span.spanID],
    ...(parent === undefined ? [] : [['parent', parent] as const]),
  ];
  return (
    <section class="details" aria-label="Span">
      <h2>
        <Name text={service} kind="service" /> <Name text={span.operationName} />
      </h2>
      <p class="facts">
        {facts.map(([name, value]) => (
          <span key={name}>
            <span class="quiet">{name}</span> {value}
          </span>
        ))}
      </p>
      {span.warnings?.map((warning) => (
        <p key={warning} class="error">
          {warning}
        </p>
      ))}
      <Attributes title="Attributes" tags={span.tags ?? []} />
      <Attributes title="Resource" tags={trace.processes[span.processID]?.tags ?? []} />
      {(span.logs ?? []).map(({ timestamp, fields }, i) => (
        <Attributes key={i} title={`Event after ${formatMicroseconds(timestamp - startUs)}`} tags={fields} />
      ))}
      <Links {...{ span, trace, tenant }} />
    </section>
  );
}

function Attributes({ title, tags }: { readonly title: string; readonly tags: readonly JaegerTag[] }) {
  if (tags.length === 0) return null;
  return (
    <details open>
      <summary>
        <h3>{title}</h3>
      </summary>
      <dl class="attributes">
        {tags.map(({ key, value }, i) => (
          <div key={i}>
            <dt>
              <Name text={key} />
            </dt>
            <dd>
              <Value text={typeof value === 'string' ? value : JSON.stringify(value)} />
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** Prompts and stack traces are long: their beginning, and the rest when it is asked for. */
const VALUE_CHARS = 1_000;

function Value({ text }: { readonly text: string }) {
  const [isWhole, setWhole] = useState(false);
  const isCut = !isWhole && text.length > VALUE_CHARS;
  return (
    <>
      <code>
        <bdi>{isCut ? `${text.slice(0, VALUE_CHARS)}…` : text}</bdi>
      </code>
      {isCut && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          all {formatCount(text.length)} characters
        </button>
      )}
    </>
  );
}

function Links({ span, trace, tenant }: { readonly span: JaegerSpan } & Pick<Props, 'trace' | 'tenant'>) {
  const links = (span.references ?? []).filter(({ refType }) => refType !== 'CHILD_OF');
  if (links.length === 0) return null;
  return (
    <>
      <h3>Links</h3>
      <ul class="paths">
        {links.map(({ traceID, spanID }, i) => (
          <li key={i}>
            span <code>{spanID}</code>{' '}
            {traceID === trace.traceID || !isTraceId(traceID) ? (
              'of this trace'
            ) : (
              <>
                of trace <a href={hrefOf({ view: 'trace', tenant, traceId: traceID })}>{traceID}</a>
              </>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
