// The pages by their place: the first page, the traces of a service, one trace, two compared.
import { useEffect, useRef } from 'preact/hooks';
import { HomePage } from './home-page.tsx';
import { OpenTrace } from './open-trace.tsx';
import type { Place } from './place.ts';
import { TraceCompare } from './trace-compare.tsx';
import { TraceList } from './trace-list.tsx';
import { TraceView } from './trace-view.tsx';
import { hrefOf, usePlace } from './use-place.ts';

export function Pages() {
  const place = usePlace();
  const page = pageOf(place);
  const main = useRef<HTMLElement>(null);
  const shown = useRef(page);
  // A link within the document neither scrolls nor moves the focus, as one to another document would.
  useEffect(() => {
    if (shown.current === page) return;
    shown.current = page;
    scrollTo(0, 0);
    main.current?.focus();
  }, [page]);
  const { tenant } = place;
  if (place.view === 'home') return <HomePage key={tenant} tenant={tenant} />;
  return (
    <>
      <header>
        <h1>
          <a href={hrefOf({ view: 'home', tenant })}>Tracelith</a>
        </h1>
        {tenant !== '' && <p class="quiet">tenant {tenant}</p>}
        <OpenTrace tenant={tenant} />
      </header>
      <main ref={main} tabIndex={-1}>
        {place.view === 'traces' && <TraceList key={page} search={place.search} tenant={tenant} />}
        {place.view === 'trace' && <TraceView key={page} traceId={place.traceId} tenant={tenant} />}
        {place.view === 'compare' && <TraceCompare key={page} {...place} />}
      </main>
    </>
  );
}

/** What stays one page while its conditions change. */
function pageOf(place: Place): string {
  const { view, tenant } = place;
  if (place.view === 'traces') return JSON.stringify([view, tenant, place.search.service]);
  if (place.view === 'compare') return JSON.stringify([view, tenant, place.traceId, place.other]);
  return JSON.stringify([view, tenant, place.view === 'trace' ? place.traceId : '']);
}
