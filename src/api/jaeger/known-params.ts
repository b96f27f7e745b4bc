// Which query parameters are refused because they are not known. Jaeger ignores what it does not know, and its clients rely on
// that; but a parameter that narrows the answer must not be ignored: the answer would show what it was to leave out.
// Proxies set such parameters per user, as VictoriaMetrics' vmauth does, and nobody would notice.
import { StoreError } from '../../base/errors.ts';
import type { QueryString } from '../go/query-string.ts';

/** VictoriaTraces' extra_filters, extra_stream_filters and hidden_fields_filters, VictoriaMetrics' extra_label, and their like. */
const RESTRICTION = /^(?:extra|hidden)_|(?:^|_)filters?$/;

/** Throws INVALID_REQUEST for a parameter that narrows the answer and is none of `conditions`, which the path honours. */
export function refuseUnknownNarrowing(params: QueryString, conditions: ReadonlySet<string>): void {
  for (const name of params.names()) {
    if (conditions.has(name)) continue;
    const plain = name.toLowerCase().replaceAll('-', '_').replace(/\[.*$/s, '');
    // What stands in `query.` are the conditions of a v3 search.
    if (!RESTRICTION.test(plain) && !plain.startsWith('query.')) continue;
    const shown = JSON.stringify(name.slice(0, 100));
    throw new StoreError(
      'INVALID_REQUEST',
      `parameter ${shown} restricts what is shown, which this path does not do: remove it, or keep those who may not see ` +
        'everything apart by tenant (AccountID, ProjectID)',
    );
  }
}
