// The pages by their place: the first page, the traces of a service, one trace.
import { HomePage } from './home-page.tsx';
import { OpenTrace } from './open-trace.tsx';
import { TraceList } from './trace-list.tsx';
import { TraceView } from './trace-view.tsx';
import { hrefOf, usePlace } from './use-place.ts';

export function Pages() {
  const place = usePlace();
  if (place.view === 'home') return <HomePage key={place.tenant} tenant={place.tenant} />;
  const { tenant } = place;
  return (
    <>
      <header>
        <h1>
          <a href={hrefOf({ view: 'home', tenant })}>Tracelith</a>
        </h1>
        {tenant !== '' && <p class="quiet">tenant {tenant}</p>}
        <OpenTrace tenant={tenant} />
      </header>
      <main>
        {place.view === 'traces' ? (
          <TraceList key={`${tenant} ${place.search.service}`} search={place.search} tenant={tenant} />
        ) : (
          <TraceView key={`${tenant} ${place.traceId}`} traceId={place.traceId} tenant={tenant} />
        )}
      </main>
    </>
  );
}
