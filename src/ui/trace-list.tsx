// The newest traces of a service, with the conditions one narrows them by.
import { useEffect, useState } from 'preact/hooks';
import { useAnswer } from './ask-node.ts';
import { formatAge, formatCount, formatMicroseconds, formatTime } from './format.ts';
import { Name } from './name.tsx';
import type { TraceSearch } from './place.ts';
import { traceItems, summariesPath, type SummariesAnswer, type TraceItem } from './trace-summaries.ts';
import { goTo, hrefOf } from './use-place.ts';

/** A page; more are asked for as a multiple of it, up to what the node gives (-search.maxTraces, 1000 by default). */
const PAGE_TRACES = 20;
const TRACES_MAX = 1_000;

interface Props {
  readonly search: TraceSearch;
  readonly tenant: string;
}

export function TraceList({ search, tenant }: Props) {
  const [most, setMost] = useState(PAGE_TRACES);
  const [asked, setAsked] = useState({ turn: 0, atMs: Date.now() });
  useEffect(() => {
    document.title = `${search.service} · Tracelith`;
  }, [search.service]);
  const answer = useAnswer<SummariesAnswer>(summariesPath(search, most, asked.atMs), tenant);
  const refresh = (): void => setAsked({ turn: asked.turn + 1, atMs: Date.now() });
  return (
    <section aria-labelledby="traces">
      <h2 id="traces">
        Newest traces of <Name text={search.service} />
      </h2>
      <Conditions key={JSON.stringify(search)} {...{ search, tenant, refresh }} />
      {answer.state === 'asking' && <p class="quiet">Searching…</p>}
      {answer.state === 'failed' && (
        <p class="banner" role="alert">
          {answer.problem}
        </p>
      )}
      {answer.state === 'here' && (
        <Found items={traceItems(answer.value)} atMs={asked.atMs} {...{ tenant, most, setMost }} />
      )}
    </section>
  );
}

/** The form: what is chosen becomes the page's address, which is what the list shows. */
function Conditions({ search, tenant, refresh }: Props & { readonly refresh: () => void }) {
  const path = `api/v3/operations?${new URLSearchParams({ service: search.service })}`;
  const answer = useAnswer<{ operations: readonly { name: string }[] }>(path, tenant);
  const known = answer.state === 'here' ? answer.value.operations.map(({ name }) => name) : [];
  const operations = [...new Set([search.operation, ...known])].filter((name) => name !== '').toSorted();
  const narrow = (change: Partial<TraceSearch>): void =>
    goTo({ view: 'traces', tenant, search: { ...search, ...change } });
  return (
    <div class="controls">
      <label>
        <span>Operation</span>
        <select value={search.operation} onChange={({ currentTarget }) => narrow({ operation: currentTarget.value })}>
          <option value="">any</option>
          {operations.map((name) => (
            <option key={name} value={name}>
              {name.slice(0, 120)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>A span takes at least</span>
        <input
          type="text"
          class="short"
          value={search.atLeast}
          placeholder="100ms"
          pattern="(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+"
          title="a number and a unit: 100ms, 1.5s"
          onChange={({ currentTarget }) => currentTarget.reportValidity() && narrow({ atLeast: currentTarget.value })}
        />
      </label>
      <label>
        <input
          type="checkbox"
          checked={search.hasError}
          onChange={({ currentTarget }) => narrow({ hasError: currentTarget.checked })}
        />
        <span>with errors</span>
      </label>
      <button type="button" onClick={refresh}>
        Refresh
      </button>
    </div>
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
  if (items.length === 0) return <p role="status">No trace meets these conditions.</p>;
  const longestUs = items.reduce((longest, { durationUs }) => Math.max(longest, durationUs), 1);
  return (
    <>
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
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <TraceLine key={item.traceId} {...{ item, longestUs, atMs, tenant }} />
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
}

function TraceLine({ item, longestUs, atMs, tenant }: LineProps) {
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
    </tr>
  );
}
