// The conditions of a search: what is chosen becomes the page's address, which is what the list shows.
import { useAnswer } from './ask-node.ts';
import type { TraceSearch } from './place.ts';
import { parseTags } from './tags.ts';
import { goTo } from './use-place.ts';

interface Props {
  readonly search: TraceSearch;
  readonly tenant: string;
}

export function SearchForm({ search, tenant }: Props) {
  const narrow = (change: Partial<TraceSearch>): void =>
    goTo({ view: 'traces', tenant, search: { ...search, ...change } });
  return (
    <div class="controls">
      <ServiceChoice
        service={search.service}
        tenant={tenant}
        choose={(service) => narrow({ service, operation: '' })}
      />
      {search.service !== '' && (
        <OperationChoice {...{ search, tenant }} choose={(operation) => narrow({ operation })} />
      )}
      <label>
        <span>Tags</span>
        <input
          type="text"
          value={search.tags}
          placeholder="http.status_code=500"
          title={'key=value key="a value"'}
          onChange={({ currentTarget: input }) => {
            input.setCustomValidity(parseTags(input.value) === undefined ? 'key=value key="a value"' : '');
            if (input.reportValidity()) narrow({ tags: input.value.trim() });
          }}
        />
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
    </div>
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
