// The first page: state of the node, what is stored, how to send traces, and where everything else is.
import { useState } from 'preact/hooks';
import type { HomeStatus } from './home-status.ts';
import { Endpoints } from './endpoints.tsx';
import { formatAge, formatBytes, formatCount, formatMinuteAge, formatSeconds } from './format.ts';
import { NewestTrace } from './newest-trace.tsx';
import { OpenTrace } from './open-trace.tsx';
import { SendTrace } from './send-trace.tsx';
import { isEmpty, newestOf, useStatus } from './status.ts';
import { StoredDays } from './stored-days.tsx';
import { StoredServices } from './stored-services.tsx';
import { TenantInput } from './tenant-input.tsx';

export function HomePage({ tenant }: { readonly tenant: string }) {
  const { status, problem, hasWaited, atMs } = useStatus(tenant);
  return (
    <>
      <Header {...{ status, problem, tenant }} />
      <main>
        {problem !== undefined && (
          <p class="banner" role="alert">
            {problem} The page goes on asking.
          </p>
        )}
        {status !== undefined && <Stored {...{ status, tenant, hasWaited, atMs }} />}
        {status === undefined && problem === undefined && <p class="quiet">Asking the node…</p>}
        {/* A login may have no access to the tenant that is meant without a name. */}
        {status === undefined && problem !== undefined && <TenantInput tenant={tenant} />}
      </main>
    </>
  );
}

interface HeaderProps {
  readonly status: HomeStatus | undefined;
  readonly problem: string | undefined;
  readonly tenant: string;
}

function Header({ status, problem, tenant }: HeaderProps) {
  return (
    <header>
      <h1>Tracelith</h1>
      {status !== undefined && (
        <>
          <Health status={status} problem={problem} />
          <p class="quiet">
            version {status.version} · up for {formatSeconds(status.uptimeSeconds)}
          </p>
          <OpenTrace tenant={tenant} />
        </>
      )}
    </header>
  );
}

function Health({ status, problem }: { status: HomeStatus; problem: string | undefined }) {
  const refusal = problem === undefined ? status.refusal : 'the node does not answer as it should';
  return (
    <p class={`health ${refusal === undefined ? 'good' : 'bad'}`} role="status">
      {refusal === undefined ? 'ready' : `not ready: ${refusal}`}
    </p>
  );
}

interface StoredProps {
  readonly status: HomeStatus;
  readonly tenant: string;
  readonly hasWaited: boolean;
  readonly atMs: number;
}

function Stored({ status, tenant, hasWaited, atMs }: StoredProps) {
  const nothing = isEmpty(status);
  return (
    <>
      {nothing ? <Waiting /> : <Figures status={status} atMs={atMs} />}
      {hasWaited && !nothing && <FirstTrace status={status} tenant={tenant} />}
      <SendTrace status={status} isOpen={hasWaited} />
      {status.warnings.length > 0 && (
        <section aria-labelledby="warnings">
          <h2 id="warnings">Damage</h2>
          <p>The counts below may lack something. docs/operations/damage.md says what to do.</p>
          <ul>
            {status.warnings.slice(0, 20).map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </section>
      )}
      {!nothing && status.days !== undefined && <StoredDays days={status.days} atMs={atMs} />}
      {(!nothing || tenant !== '' || status.hasTenants) && <StoredServices {...{ status, tenant, atMs }} />}
      <Endpoints status={status} />
    </>
  );
}

function Waiting() {
  return (
    <section class="waiting" aria-live="polite">
      <span class="pulse" aria-hidden="true" />
      <h2>Waiting for the first span</h2>
      <p>Nothing is stored yet. Send a trace in one of these ways; it appears here as soon as it is on disk.</p>
    </section>
  );
}

function Figures({ status, atMs }: { status: HomeStatus; atMs: number }) {
  const { days, services, store } = status;
  const ofServices = services.flatMap((service) => service.days);
  const counted = days ?? ofServices;
  const spans = counted.reduce((sum, day) => sum + day.spans, 0);
  const newest = counted.reduce((latest, { newestMs = 0 }) => Math.max(latest, newestMs), 0);
  const free = store === undefined || store.totalDiskBytes === 0 ? undefined : store.freeDiskBytes;
  const figures: (readonly [string, string | undefined])[] = [
    ['spans', counted.length === 0 ? undefined : formatCount(spans)],
    ['services', formatCount(services.length)],
    ['on disk', days === undefined || store === undefined ? undefined : formatBytes(store.bytes)],
    ['newest span', newest === 0 ? undefined : (days === undefined ? formatMinuteAge : formatAge)(newest, atMs)],
    ['disk free', free === undefined ? undefined : formatBytes(free)],
    ['tenants', (store?.tenants ?? 0) > 1 ? formatCount(store!.tenants) : undefined],
    ['rejected since the start', aboveZero(store?.rejectedSpans)],
    ['losses', aboveZero(store?.losses)],
  ];
  return (
    <dl class="figures">
      {figures.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function aboveZero(count = 0): string | undefined {
  return count > 0 ? formatCount(count) : undefined;
}

/** What the page has waited for: the newest trace of the service that sent last. */
function FirstTrace({ status, tenant }: { status: HomeStatus; tenant: string }) {
  const [first] = status.services
    .map((service) => ({ service: service.service, newestMs: newestOf(service) ?? 0 }))
    .toSorted((a, b) => b.newestMs - a.newestMs);
  const [shown] = useState(first);
  if (shown === undefined) return null;
  return (
    <section class="first" aria-live="polite" aria-labelledby="first">
      <h2 id="first">The first span is here</h2>
      <NewestTrace {...shown} tenant={tenant} />
    </section>
  );
}
