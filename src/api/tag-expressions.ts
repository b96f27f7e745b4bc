// Tags that say more than equality, where the node's operator allows it (-search.tagExpressions): a value that begins with
// "~" is a regular expression, a key that ends with "!" denies the rest, as VictoriaTraces has them and Jaeger UI's search
// field sends them (`k=~re`, `k!=v`; contract/jaeger.md §2.3). Otherwise both are texts like any other, as in Jaeger.
import { isStoreError, StoreError } from '../base/errors.ts';
import { compilePattern } from '../trace/pattern.ts';
import type { TagCondition } from '../trace/trace-query.ts';
import { goQuote } from './go-quote.ts';

/** The conditions of keys and values as a client sent them. Throws INVALID_REQUEST for a pattern that is none. */
export function tagConditions(
  entries: Iterable<readonly [key: string, value: string]>,
  hasExpressions = false,
): TagCondition[] {
  return Array.from(entries, ([key, value]) => (hasExpressions ? expression(key, value) : { key, value }));
}

function expression(key: string, value: string): TagCondition {
  const isNegated = key.length > 1 && key.endsWith('!');
  const isPattern = value.startsWith('~');
  if (isPattern) checkPattern(key, value.slice(1));
  return {
    key: isNegated ? key.slice(0, -1) : key,
    value: isPattern ? value.slice(1) : value,
    ...(isPattern ? { isPattern } : {}),
    ...(isNegated ? { isNegated } : {}),
  };
}

function checkPattern(key: string, pattern: string): void {
  try {
    compilePattern(pattern);
  } catch (error) {
    if (!isStoreError(error, 'INVALID_REQUEST')) throw error;
    throw new StoreError(
      'INVALID_REQUEST',
      `tag ${goQuote(key)}: the value is no pattern in RE2 syntax: ${error.message}`,
    );
  }
}
