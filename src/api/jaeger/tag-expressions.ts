// Extended tag conditions, if the node's operator enables them (-search.tagExpressions): a value that begins with "~" is a
// regular expression, and a key that ends with "!" negates the condition, as in VictoriaTraces and as Jaeger UI's search field
// sends them (`k=~re`, `k!=v`; contract/jaeger.md §2.3). Otherwise both are plain texts, as in Jaeger.
import { isStoreError, StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { compilePattern } from '../../trace/pattern.ts';
import type { TagCondition } from '../../trace/trace-query.ts';
import { goQuote } from '../go/go-quote.ts';

/** The conditions for keys and values as a client sent them. Throws INVALID_REQUEST for an invalid pattern, and for too many. */
export function tagConditions(
  entries: Iterable<readonly [key: string, value: string]>,
  hasExpressions = false,
): TagCondition[] {
  const pairs = [...entries];
  if (!hasExpressions) return pairs.map(([key, value]) => ({ key, value }));
  const patterns = pairs.filter(([, value]) => value.startsWith(PATTERN_SIGN)).length;
  if (patterns > limits.patternsMax) {
    throw new StoreError('INVALID_REQUEST', `tags: ${patterns} regular expressions; ${limits.patternsMax} are allowed`);
  }
  return pairs.map(([key, value]) => expression(key, value));
}

const PATTERN_SIGN = '~';

function expression(key: string, value: string): TagCondition {
  const isNegated = key.length > 1 && key.endsWith('!');
  const isPattern = value.startsWith(PATTERN_SIGN);
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
