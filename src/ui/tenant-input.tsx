// Which tenant the page shows: it becomes a part of the page's address.
import { goTo } from './use-place.ts';

export function TenantInput({ tenant }: { readonly tenant: string }) {
  return (
    <label>
      <span>Tenant</span>{' '}
      <input
        type="text"
        class="short"
        value={tenant}
        placeholder="0:0"
        pattern="\d+(:\d+)?"
        title="ACCOUNT or ACCOUNT:PROJECT"
        onChange={({ currentTarget }) =>
          currentTarget.reportValidity() && goTo({ view: 'home', tenant: currentTarget.value })
        }
      />
    </label>
  );
}
