// The first page: state of the node, what is stored, how to send traces, and where everything else is.
import { useState } from 'preact/hooks';
import type { HomeStatus } from './home-status.ts';
import { Endpoints } from './endpoints.tsx';
import { formatAge, formatBytes, formatCount, formatSeconds } from './format.ts';
import { NewestTrace } from './newest-trace.tsx';
import { SendTrace } from './send-trace.tsx';
import { isEmpty, newestOf, useStatus } from './status.ts';
import { StoredDays } from './stored-days.tsx';
import { StoredServices } from './stored-services.tsx';

export function HomePage() {
  const [tenant, setTenant] = useState('');
  const { status, problem, hasWaited, atMs } = useStatus(tenant);
  return (
    <>
      <Header status={status} problem={problem} />
      <main>
        {problem !== undefined && (
          <p class="banner" role="alert">
            The node does not answer: {problem}. The page goes on asking.
          </p>
        )}
        {status === undefined ? (
          <p class="quiet">Asking the node…</p>
        ) : (
          <Stored {...{ status, tenant, setTenant, hasWaited, atMs }} />
        )}
      </main>
    </>
  );
}

function Header({ status, problem }: { status: HomeStatus | undefined; problem: string | undefined }) {
  return (
    <header>
      <h1>Tracelith</h1>
      {status !== undefined && (
        <>
          <Health status={status} problem={problem} />
          <p class="quiet">
            version {status.version} · up for {formatSeconds(status.uptimeSeconds)}
          </p>
        </>
      )}
    </header>
  );
}

function Health({ status, problem }: { status: HomeStatus; problem: string | undefined }) {
  const refusal = problem === undefined ? status.refusal : 'it does not answer';
  return (
    <p class={`health ${refusal === undefined ? 'good' : 'bad'}`} role="status">
      {refusal === undefined ? 'ready' : `not ready: ${refusal}`}
    </p>
  );
}

interface StoredProps {
  readonly status: HomeStatus;
  readonly tenant: string;
  readonly setTenant: (tenant: string) => void;
  readonly hasWaited: boolean;
  readonly atMs: number;
}

function Stored({ status, tenant, setTenant, hasWaited, atMs }: StoredProps) {
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
      {(!nothing || tenant !== '') && <StoredServices {...{ status, tenant, setTenant, atMs }} />}
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
  const spans = days?.reduce((sum, day) => sum + day.spans, 0);
  const newest = Math.max(...(days ?? []).map(({ newestMs = 0 }) => newestMs), 0);
  const free = store.totalDiskBytes === 0 ? undefined : store.freeDiskBytes;
  const figures: (readonly [string, string | undefined])[] = [
    ['spans', spans === undefined ? undefined : formatCount(spans)],
    ['services', formatCount(services.length)],
    ['on disk', days === undefined ? undefined : formatBytes(store.bytes)],
    ['newest span', newest === 0 ? undefined : formatAge(newest, atMs)],
    ['disk free', free === undefined ? undefined : formatBytes(free)],
    ['tenants', store.tenants > 1 ? formatCount(store.tenants) : undefined],
    ['rejected since the start', store.rejectedSpans > 0 ? formatCount(store.rejectedSpans) : undefined],
    ['losses', store.losses > 0 ? formatCount(store.losses) : undefined],
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
