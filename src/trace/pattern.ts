// A user's regular expression: RE2's syntax, matched in time linear in the text by re2js, whatever the pattern. V8's own
// engine backtracks: one pattern of a user could hold a thread for years, and is therefore never given one.
import { RE2JS, RE2JSException } from 're2js';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';

export interface Pattern {
  /** True when the pattern matches anywhere in the UTF-8 text bytes[start, end). */
  test(bytes: Uint8Array, start: number, end: number): boolean;
}

/** Throws INVALID_REQUEST when `text` is no RE2 pattern, or too large a one. */
export function compilePattern(text: string): Pattern {
  if (text.length > limits.patternCharsMax) {
    invalid(`a pattern of ${text.length} characters; ${limits.patternCharsMax} are allowed`);
  }
  const compiled = compile(text);
  const size = compiled.programSize();
  if (size > limits.patternProgramMax) {
    invalid(`a pattern of ${size} instructions, its repetitions written out; ${limits.patternProgramMax} are allowed`);
  }
  return {
    // re2js takes an array of UTF-8 bytes as well as a string; a subarray costs less than a string does.
    test: (bytes, start, end) => compiled.test(bytes.subarray(start, end)),
  };
}

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
