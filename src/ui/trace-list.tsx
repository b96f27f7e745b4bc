// The newest traces, of a service or of all, with the conditions one narrows them by.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useAnswer } from './ask-node.ts';
import { formatAge, formatCount, formatMicroseconds, formatTime } from './format.ts';
import { Name } from './name.tsx';
import type { TraceSearch } from './place.ts';
import { SearchForm } from './search-form.tsx';
import { parseTags, TAGS_HELP } from './tags.ts';
import { traceItems, summariesPath, type SummariesAnswer, type TraceItem } from './trace-summaries.ts';
import { hrefOf } from './use-place.ts';
import { Warnings } from './warnings.tsx';

/** A page; more are asked for as a multiple of it, up to what the node gives (-search.maxTraces, 1000 by default). */
const PAGE_TRACES = 20;
const TRACES_MAX = 1_000;

interface Props {
  readonly search: TraceSearch;
  readonly tenant: string;
}

export function TraceList({ search, tenant }: Props) {
  const { service } = search;
  useEffect(() => {
    document.title = `${service || 'Traces'} · Tracelith`;
  }, [service]);
  return (
    <section aria-labelledby="traces">
      <h2 id="traces">
        Newest traces
        {service !== '' && (
          <>
            {' '}
            of <Name text={service} />
          </>
        )}
      </h2>
      <SearchForm search={search} tenant={tenant} />
      {parseTags(search.tags) === undefined ? (
        <p class="banner" role="alert">
          These tags cannot be read: {search.tags}. Write {TAGS_HELP}.
        </p>
      ) : (
        <Results key={JSON.stringify(search)} search={search} tenant={tenant} />
      )}
    </section>
  );
}

function Results({ search, tenant }: Props) {
  const [most, setMost] = useState(PAGE_TRACES);
  const [turn, setTurn] = useState(0);
  // Another turn looks back from its own now; between two, the question stays the same.
  const path = useMemo(() => summariesPath(search, most, Date.now()), [search, most, turn]);
  const answer = useAnswer<SummariesAnswer>(path, tenant, turn);
  if (answer.state === 'asking') return <p class="quiet">Searching…</p>;
  if (answer.state === 'failed') {
    return (
      <p class="banner" role="alert">
        {answer.problem}
      </p>
    );
  }
  const items = traceItems(answer.value);
  return (
    <>
      <Warnings text={answer.warnings} />
      <p class="controls">
        <span role="status">
          {items.length === 0 ? 'No trace meets these conditions.' : `${formatCount(items.length)} shown`}
        </span>
        <button type="button" onClick={() => setTurn(turn + 1)}>
          Refresh
        </button>
      </p>
      {items.length > 0 && <Found {...{ items, tenant, most, setMost }} atMs={answer.atMs} />}
    </>
  );
}

interface FoundProps {
  readonly items: readonly TraceItem[];
  readonly atMs: number;
  readonly tenant: string;
  readonly most: number;
  readonly setMost: (most: number) => void;
}

function Found({ items, atMs, tenant, most, setMost }: FoundProps) {
  const longestUs = items.reduce((longest, { durationUs }) => Math.max(longest, durationUs), 1);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [traceId, other] = chosen;
  // A third one takes the place of the one that was chosen first.
  const choose = (id: string): void =>
    setChosen((before) => (before.includes(id) ? before.filter((one) => one !== id) : [...before, id].slice(-2)));
  return (
    <>
      <p class="quiet" role="status">
        {traceId !== undefined && other !== undefined ? (
          <a href={hrefOf({ view: 'compare', tenant, traceId, other })}>Compare the two chosen traces</a>
        ) : (
          'Choose two traces to compare them.'
        )}
      </p>
      <table class="traces">
        <thead>
          <tr>
            <th scope="col">trace</th>
            <th scope="col" class="number">
              spans
            </th>
            <th scope="col" class="number wide">
              services
            </th>
            <th scope="col" class="number">
              errors
            </th>
            <th scope="col" class="number">
              duration
            </th>
            <th scope="col" class="wide">
              of the longest
            </th>
            <th scope="col" class="number">
              start
            </th>
            <th scope="col">
              <span class="hidden">compare</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <TraceLine
              key={item.traceId}
              {...{ item, longestUs, atMs, tenant }}
              isChosen={chosen.includes(item.traceId)}
              choose={() => choose(item.traceId)}
            />
          ))}
        </tbody>
      </table>
      {items.length >= most && most < TRACES_MAX && (
        <button type="button" onClick={() => setMost(Math.min(most * 5, TRACES_MAX))}>
          Show more
        </button>
      )}
    </>
  );
}

interface LineProps extends Pick<FoundProps, 'atMs' | 'tenant'> {
  readonly item: TraceItem;
  readonly longestUs: number;
  readonly isChosen: boolean;
  readonly choose: () => void;
}

function TraceLine({ item, longestUs, atMs, tenant, isChosen, choose }: LineProps) {
  const { traceId, service, operation, startMs, durationUs, spans, errors, services } = item;
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf({ view: 'trace', tenant, traceId })}>
          {service === '' && operation === '' ? (
            'the root span is missing'
          ) : (
            <>
              <Name text={service} kind="service" /> <Name text={operation} />
            </>
          )}
        </a>
      </th>
      <td class="number">{formatCount(spans)}</td>
      <td class="number wide">{formatCount(services)}</td>
      <td class={errors > 0 ? 'number error' : 'number'}>{formatCount(errors)}</td>
      <td class="number">{formatMicroseconds(durationUs)}</td>
      <td class="wide">
        <div class="track" aria-hidden="true">
          <div class={errors > 0 ? 'bar failed' : 'bar'} style={{ inlineSize: `${(100 * durationUs) / longestUs}%` }} />
        </div>
      </td>
      <td class="number">
        <time dateTime={new Date(startMs).toISOString()} title={formatTime(startMs)}>
          {formatAge(startMs, atMs)}
        </time>
      </td>
      <td>
        <input type="checkbox" checked={isChosen} onChange={choose} aria-label={`compare ${traceId}`} />
      </td>
    </tr>
  );
}
