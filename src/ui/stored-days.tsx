// What is stored, day by day, of all tenants.
import { formatAge, formatBytes, formatCount, formatDay, formatShare } from './format.ts';
import type { HomeDay } from './home-status.ts';

export function StoredDays({ days, atMs }: { days: readonly HomeDay[]; atMs: number }) {
  const most = Math.max(...days.map(({ spans }) => spans), 1);
  return (
    <section aria-labelledby="days">
      <h2 id="days">Stored by day</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">day (UTC)</th>
            <th scope="col" class="number">
              spans
            </th>
            <th scope="col" class="wide">
              of the fullest
            </th>
            <th scope="col" class="number">
              on disk
            </th>
            <th scope="col" class="number wide">
              bytes a span
            </th>
            <th scope="col" class="number">
              newest span
            </th>
          </tr>
        </thead>
        <tbody>
          {days.toReversed().map((day) => (
            <DayRow key={day.name} {...{ day, most, atMs }} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function DayRow({ day, most, atMs }: { day: HomeDay; most: number; atMs: number }) {
  const { name, state, spans, bytes, newestMs } = day;
  return (
    <tr>
      <th scope="row">
        {formatDay(name)} {state !== 'open' && <span class="mark">{state}</span>}
      </th>
      <td class="number">{formatCount(spans)}</td>
      <td class="wide">
        <div class="track" aria-hidden="true">
          <div class="bar" style={{ inlineSize: `${(100 * spans) / most}%` }} />
        </div>
        <span class="hidden">{formatShare(spans, most)}</span>
      </td>
      <td class="number">{formatBytes(bytes)}</td>
      <td class="number wide">{spans === 0 ? '' : (bytes / spans).toFixed(1)}</td>
      <td class="number">{newestMs === undefined ? '' : formatAge(newestMs, atMs)}</td>
    </tr>
  );
}
