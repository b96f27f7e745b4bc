// The key under which a request may be sent again (SpanWriter.write), as a client gives it.
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';

/** Throws INVALID_REQUEST for a key that is empty or too long. */
export function checkWriteKey(key: string): string {
  if (key !== '' && key.length <= limits.writeKeyCharsMax) return key;
  const text = `the key of a write has ${key.length} characters; expected 1 to ${limits.writeKeyCharsMax}`;
  throw new StoreError('INVALID_REQUEST', text);
}
