// The conditions of a search: what is chosen becomes the page's address, which is what the list shows.
import { useAnswer } from './ask-node.ts';
import type { TraceSearch } from './place.ts';
import { localTime } from './format.ts';
import { parseTags, TAGS_HELP } from './tags.ts';
import { BETWEEN, RANGES } from './trace-summaries.ts';
import { narrowTo } from './use-place.ts';

interface Props {
  readonly search: TraceSearch;
  readonly tenant: string;
}

export function SearchForm({ search, tenant }: Props) {
  return (
    <div class="controls">
      <ServiceChoice
        service={search.service}
        tenant={tenant}
        choose={(service) => narrowTo({ service, operation: '' })}
      />
      {search.service !== '' && (
        <OperationChoice {...{ search, tenant }} choose={(operation) => narrowTo({ operation })} />
      )}
      <label>
        <span>Tags</span>
        <input
          type="text"
          value={search.tags}
          placeholder="http.status_code=500"
          title={TAGS_HELP}
          onChange={({ currentTarget: input }) => {
            input.setCustomValidity(parseTags(input.value) === undefined ? TAGS_HELP : '');
            if (input.reportValidity()) narrowTo({ tags: input.value.trim() });
          }}
        />
      </label>
      <DurationInput name="A span takes at least" value={search.atLeast} choose={(atLeast) => narrowTo({ atLeast })} />
      <DurationInput name="at most" value={search.atMost} choose={(atMost) => narrowTo({ atMost })} />
      <TimeChoice search={search} />
      <label>
        <input
          type="checkbox"
          checked={search.hasError}
          onChange={({ currentTarget }) => narrowTo({ hasError: currentTarget.checked })}
        />
        <span>with errors</span>
      </label>
      <label>
        <span>Tenants</span>
        <input
          type="text"
          class="short"
          value={tenant}
          placeholder="0:0"
          pattern="\d+(:\d+)?(\|\d+(:\d+)?)*"
          title="ACCOUNT:PROJECT, several with | between them"
          onChange={({ currentTarget }) => currentTarget.reportValidity() && narrowTo({}, currentTarget.value)}
        />
      </label>
    </div>
  );
}

interface DurationProps {
  readonly name: string;
  readonly value: string;
  readonly choose: (value: string) => void;
}

function DurationInput({ name, value, choose }: DurationProps) {
  return (
    <label>
      <span>{name}</span>
      <input
        type="text"
        class="short"
        value={value}
        placeholder="100ms"
        pattern="(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+"
        title="a number and a unit: 100ms, 1.5s"
        onChange={({ currentTarget }) => currentTarget.reportValidity() && choose(currentTarget.value)}
      />
    </label>
  );
}

function TimeChoice({ search }: Pick<Props, 'search'>) {
  return (
    <>
      <label>
        <span>Started</span>
        <select value={search.within} onChange={({ currentTarget }) => narrowTo({ within: currentTarget.value })}>
          <option value="">at any time</option>
          {[...RANGES].map(([within, [, shown]]) => (
            <option key={within} value={within}>
              in {shown}
            </option>
          ))}
          <option value={BETWEEN}>between …</option>
        </select>
      </label>
      {search.within === BETWEEN && (
        <>
          <TimeInput name="from" value={search.from} choose={(from) => narrowTo({ from })} />
          <TimeInput name="until" value={search.to} choose={(to) => narrowTo({ to })} />
        </>
      )}
    </>
  );
}

/** Shown and typed in the reader's time zone, kept in UTC: the address means the same everywhere. */
function TimeInput({ name, value, choose }: DurationProps) {
  return (
    <label>
      <span>{name}</span>
      <input
        type="datetime-local"
        step="1"
        value={localTime(value)}
        onChange={({ currentTarget: { value: typed } }) => choose(typed === '' ? '' : new Date(typed).toISOString())}
      />
    </label>
  );
}

interface ServiceProps {
  readonly service: string;
  readonly tenant: string;
  readonly choose: (name: string) => void;
}

function ServiceChoice({ service, tenant, choose }: ServiceProps) {
  const answer = useAnswer<{ services: readonly string[] }>('api/v3/services', tenant);
  const known = answer.state === 'here' ? answer.value.services : [];
  return <Choice name="Service" chosen={service} known={known} choose={choose} />;
}

interface OperationProps extends Props {
  readonly choose: (name: string) => void;
}

function OperationChoice({ search, tenant, choose }: OperationProps) {
  const path = `api/v3/operations?${new URLSearchParams({ service: search.service })}`;
  const answer = useAnswer<{ operations: readonly { name: string }[] }>(path, tenant);
  const known = answer.state === 'here' ? answer.value.operations.map(({ name }) => name) : [];
  return <Choice name="Operation" chosen={search.operation} known={known} choose={choose} />;
}

interface ChoiceProps {
  readonly name: string;
  readonly chosen: string;
  readonly known: readonly string[];
  readonly choose: (name: string) => void;
}

function Choice({ name, chosen, known, choose }: ChoiceProps) {
  const names = [...new Set([chosen, ...known])].filter((one) => one !== '').toSorted();
  return (
    <label>
      <span>{name}</span>
      <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        <option value="">any</option>
        {names.map((one) => (
          <option key={one} value={one}>
            {one.slice(0, 120)}
          </option>
        ))}
      </select>
    </label>
  );
}
