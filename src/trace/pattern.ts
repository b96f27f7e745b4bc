// A user's regular expression: RE2 syntax, matched by re2js in time linear in the text, for every pattern. V8's own
// engine backtracks, so one pattern could block a thread for years: never give it a user's pattern.
import { RE2JS, RE2JSException } from 're2js';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';

export interface Pattern {
  /**
   * True when the pattern matches anywhere in the UTF-8 text bytes[start, end). Throws TIMEOUT if the text is too long
   * for a pattern of this size; rethrows errors of `check`.
   */
  test(bytes: Uint8Array, start: number, end: number): boolean;
}

/** Instructions × bytes between two checks of the time: some 50 ms at worst. */
const WORK_PER_CHECK: number = 1 << 20;

/**
 * Throws INVALID_REQUEST when `text` is not an RE2 pattern or is too large. Calls `check`, which may throw, between
 * texts whose matching takes long in total.
 */
export function compilePattern(text: string, check: () => void = doNothing): Pattern {
  const { compiled, size } = compileRe2(text);
  let work = 0;
  return {
    test(bytes, start, end) {
      const more = size * (end - start);
      if (more > limits.patternWorkMax) {
        throw new StoreError(
          'TIMEOUT',
          `a pattern of ${size} instructions met a text of ${end - start} bytes, which is too much; ask with a simpler one`,
        );
      }
      work += more;
      if (work > WORK_PER_CHECK) {
        work = 0;
        check();
      }
      // re2js accepts UTF-8 bytes as well as a string; a subarray is cheaper than a string.
      return compiled.test(bytes.subarray(start, end));
    },
  };
}

/** A pattern within the limits, and its instructions. Throws INVALID_REQUEST. */
export function compileRe2(text: string): { readonly compiled: RE2JS; readonly size: number } {
  if (text.length > limits.patternCharsMax) {
    invalid(`a pattern of ${text.length} characters; ${limits.patternCharsMax} are allowed`);
  }
  const compiled = compile(text);
  const size = compiled.programSize();
  if (size > limits.patternProgramMax) {
    invalid(`a pattern of ${size} instructions, its repetitions written out; ${limits.patternProgramMax} are allowed`);
  }
  return { compiled, size };
}

function doNothing(): void {}

function compile(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return invalid(error.message);
  }
}

function invalid(why: string): never {
  throw new StoreError('INVALID_REQUEST', why);
}
