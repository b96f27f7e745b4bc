// What is stored of each service of one tenant. A list of a thousand stays usable: it is filtered, and shown in pages.
import { useState } from 'preact/hooks';
import { formatCount, formatDay, formatMinuteAge, formatShare } from './format.ts';
import type { HomeService, HomeStatus } from './home-status.ts';
import { Name } from './name.tsx';
import { NewestTrace } from './newest-trace.tsx';
import { newestOf } from './status.ts';

const PAGE_ROWS = 50;

interface Props {
  readonly status: HomeStatus;
  readonly tenant: string;
  readonly setTenant: (tenant: string) => void;
  readonly atMs: number;
}

export function StoredServices({ status, tenant, setTenant, atMs }: Props) {
  const [wanted, setWanted] = useState('');
  const [rowsMax, setRowsMax] = useState(PAGE_ROWS);
  const [open, setOpen] = useState<string>();
  const { services } = status;
  const found = services.filter(({ service }) => service.toLowerCase().includes(wanted.toLowerCase()));
  const days = (status.days ?? []).map(({ name }) => name);
  return (
    <section aria-labelledby="services">
      <h2 id="services">Stored by service</h2>
      <div class="controls">
        <label>
          <span>Filter</span>
          <input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        </label>
        {(status.store.tenants > 1 || tenant !== '') && <TenantInput tenant={tenant} setTenant={setTenant} />}
        <p role="status" class="quiet">
          {found.length === services.length
            ? countOf(services.length)
            : `${formatCount(found.length)} of ${countOf(services.length)}`}
        </p>
      </div>
      <table class="services">
        <thead>
          <tr>
            <th scope="col">service</th>
            <th scope="col" class="number">
              spans
            </th>
            <th scope="col" class="wide">
              by day
            </th>
            <th scope="col" class="number">
              errors
            </th>
            <th scope="col" class="number">
              newest span
            </th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, rowsMax).map((service) => {
            const isOpen = service.service === open;
            const toggle = (): void => setOpen(isOpen ? undefined : service.service);
            return <ServiceRow key={service.service} {...{ service, days, isOpen, toggle, tenant, atMs }} />;
          })}
        </tbody>
      </table>
      {found.length > rowsMax && (
        <button type="button" onClick={() => setRowsMax(rowsMax + 10 * PAGE_ROWS)}>
          Show more of {formatCount(found.length)}
        </button>
      )}
    </section>
  );
}

function countOf(services: number): string {
  return services === 1 ? '1 service' : `${formatCount(services)} services`;
}

function TenantInput({ tenant, setTenant }: Pick<Props, 'tenant' | 'setTenant'>) {
  return (
    <label>
      <span>Tenant</span>
      <input
        type="text"
        value={tenant}
        placeholder="0:0"
        pattern="\d+(:\d+)?"
        onChange={({ currentTarget }) => currentTarget.reportValidity() && setTenant(currentTarget.value)}
      />
    </label>
  );
}

interface RowProps {
  readonly service: HomeService;
  readonly days: readonly string[];
  readonly isOpen: boolean;
  readonly toggle: () => void;
  readonly tenant: string;
  readonly atMs: number;
}

function ServiceRow({ service, days, isOpen, toggle, tenant, atMs }: RowProps) {
  const spans = service.days.reduce((sum, day) => sum + day.spans, 0);
  const errors = service.days.reduce((sum, day) => sum + day.errors, 0);
  const newestMs = newestOf(service);
  return (
    <>
      <tr>
        <th scope="row">
          {newestMs === undefined ? (
            <Name text={service.service} />
          ) : (
            <button type="button" class="link" aria-expanded={isOpen} onClick={toggle}>
              <Name text={service.service} />
            </button>
          )}
        </th>
        <td class="number">{newestMs === undefined ? '' : formatCount(spans)}</td>
        <td class="wide">
          <DayBars days={days} service={service} />
        </td>
        <td class={errors > 0 ? 'number error' : 'number'}>
          {newestMs === undefined ? '' : formatShare(errors, spans)}
        </td>
        <td class="number">{newestMs === undefined ? '' : formatMinuteAge(newestMs, atMs)}</td>
      </tr>
      {isOpen && newestMs !== undefined && (
        <tr class="opened">
          <td colSpan={5}>
            <NewestTrace service={service.service} newestMs={newestMs} tenant={tenant} />
          </td>
        </tr>
      )}
    </>
  );
}

/** Spans by day as a row of bars, the newest 14 days. */
function DayBars({ days, service }: { days: readonly string[]; service: HomeService }) {
  const shown = days.slice(-14);
  const spansOf = new Map(service.days.map(({ day, spans }) => [day, spans]));
  const most = Math.max(...service.days.map(({ spans }) => spans), 1);
  const text = service.days.map(({ day, spans }) => `${formatDay(day)}: ${formatCount(spans)}`).join(', ');
  return (
    <svg class="bars" viewBox={`0 0 ${Math.max(shown.length, 1) * 6} 16`} role="img" aria-label={text}>
      {shown.map((day, i) => {
        const height = Math.ceil((15 * (spansOf.get(day) ?? 0)) / most);
        return <rect key={day} x={i * 6} y={16 - height} width={5} height={height} />;
      })}
    </svg>
  );
}
