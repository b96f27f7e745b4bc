// What is stored of each service of one tenant. A list of a thousand stays usable: it is filtered, and shown in pages.
import { useState } from 'preact/hooks';
import { formatCount, formatDay, formatMinuteAge, formatShare } from './format.ts';
import type { HomeService, HomeStatus } from './home-status.ts';
import { Name } from './name.tsx';
import { tracesOf } from './place.ts';
import { newestOf } from './status.ts';
import { TenantInput } from './tenant-input.tsx';
import { hrefOf } from './use-place.ts';

const PAGE_ROWS = 50;

interface Props {
  readonly status: HomeStatus;
  readonly tenant: string;
  readonly atMs: number;
}

export function StoredServices({ status, tenant, atMs }: Props) {
  const [wanted, setWanted] = useState('');
  const [rowsMax, setRowsMax] = useState(PAGE_ROWS);
  const { services } = status;
  const found = services.filter(({ service }) => service.toLowerCase().includes(wanted.toLowerCase()));
  const days = status.days?.map(({ name }) => name) ?? daysOf(services);
  return (
    <section aria-labelledby="services">
      <h2 id="services">Stored by service</h2>
      <div class="controls">
        <label>
          <span>Filter</span>
          <input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        </label>
        {(status.hasTenants || tenant !== '') && <TenantInput tenant={tenant} />}
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
          {found.slice(0, rowsMax).map((service) => (
            <ServiceRow key={service.service} {...{ service, days, tenant, atMs }} />
          ))}
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

/** Days with a span of any of them, oldest first. */
function daysOf(services: readonly HomeService[]): string[] {
  return [...new Set(services.flatMap(({ days }) => days.map(({ day }) => day)))].toSorted();
}

interface RowProps {
  readonly service: HomeService;
  readonly days: readonly string[];
  readonly tenant: string;
  readonly atMs: number;
}

function ServiceRow({ service, days, tenant, atMs }: RowProps) {
  const spans = service.days.reduce((sum, day) => sum + day.spans, 0);
  const errors = service.days.reduce((sum, day) => sum + day.errors, 0);
  const newestMs = newestOf(service);
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf(tracesOf(service.service, tenant))}>
          <Name text={service.service} />
        </a>
      </th>
      <td class="number">{newestMs === undefined ? '' : formatCount(spans)}</td>
      <td class="wide">
        <DayBars days={days} service={service} />
      </td>
      <td class={errors > 0 ? 'number error' : 'number'}>{newestMs === undefined ? '' : formatShare(errors, spans)}</td>
      <td class="number">{newestMs === undefined ? '' : formatMinuteAge(newestMs, atMs)}</td>
    </tr>
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
