// JSON as a strict reader sees it: a number is an integer only when it is written as one. Go's int64 refuses 1.0 and 1e15,
// which JSON.parse cannot tell from 1; here they become Fractions, which no integer schema takes.
import { z } from 'zod';

/** A number that is not an integer literal. */
export class Fraction {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

export function parseStrictly(text: string): unknown {
  const revive: Reviver = (_key, value, context) =>
    typeof value === 'number' && !/^-?\d+$/.test(context?.source ?? '') ? new Fraction(context?.source ?? '') : value;
  return JSON.parse(text, revive);
}

/** An integer literal that a browser reads without loss. */
export const integer: z.ZodNumber = z.int();
export const count: z.ZodNumber = z.int().nonnegative();
export const number: z.ZodUnion<readonly [z.ZodNumber, z.ZodCustom<Fraction, Fraction>]> = z.union([
  z.number(),
  z.instanceof(Fraction),
]);

/** Throws with the path of what `schema` refuses in `text`, and `what` the text answers. */
export function expectShape(schema: z.ZodType, text: string, what: string): void {
  const result = schema.safeParse(parseStrictly(text));
  if (!result.success) throw new Error(`${what}: ${z.prettifyError(result.error)}`);
}
