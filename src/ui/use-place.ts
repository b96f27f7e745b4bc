// The place of this browser tab: followed as its address changes, and changed by going there.
import { useEffect, useState } from 'preact/hooks';
import { formatPlace, parsePlace, type Place, type TraceSearch } from './place.ts';

export function usePlace(): Place {
  const [place, setPlace] = useState(() => parsePlace(location.hash));
  useEffect(() => {
    const follow = (): void => setPlace(parsePlace(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return place;
}

/** For links. The document has a <base>, so that a bare fragment would lead to the root instead of this page. */
export function hrefOf(place: Place): string {
  return `${location.pathname}${location.search}${formatPlace(place)}`;
}

export function goTo(place: Place): void {
  location.hash = formatPlace(place);
}

/**
 * Changes conditions of the search that is shown, or its tenant. Starts from the address and not from what a component was given: two
 * choices may be made before the first is drawn, and the second must not undo it.
 */
export function narrowTo(change: Partial<TraceSearch>, tenant?: string): void {
  const from = parsePlace(location.hash);
  if (from.view === 'traces') goTo({ ...from, tenant: tenant ?? from.tenant, search: { ...from.search, ...change } });
}
