// Decides which unknown query parameters are refused. Jaeger ignores unknown parameters, and its clients rely on that; but a
// parameter that narrows the answer must not be ignored, because the answer would show data that it should hide. Proxies set
// such parameters per user, as VictoriaMetrics' vmauth does, and nobody would notice.
import { StoreError } from '../../base/errors.ts';
import type { QueryString } from '../go/query-string.ts';

/** VictoriaTraces' extra_filters, extra_stream_filters and hidden_fields_filters, VictoriaMetrics' extra_label, and similar. */
const RESTRICTION = /^(?:extra|hidden)_|(?:^|_)filters?$/;

/** Throws INVALID_REQUEST for a narrowing parameter that is not one of `conditions`, which the path supports. */
export function refuseUnknownNarrowing(params: QueryString, conditions: ReadonlySet<string>): void {
  for (const name of params.names()) {
    if (conditions.has(name)) continue;
    const plain = name.toLowerCase().replaceAll('-', '_').replace(/\[.*$/s, '');
    // Parameters in `query.` are the conditions of a v3 search.
    if (!RESTRICTION.test(plain) && !plain.startsWith('query.')) continue;
    const shown = JSON.stringify(name.slice(0, 100));
    throw new StoreError(
      'INVALID_REQUEST',
      `parameter ${shown} restricts what is shown, which this path does not do: remove it, or keep those who may not see ` +
        'everything apart by tenant (AccountID, ProjectID)',
    );
  }
}
