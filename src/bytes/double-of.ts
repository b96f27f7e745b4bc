// Doubles from two 32-bit words, their form on the wire and in columns.

const doubles = new Float64Array(1);
const doubleWords = new Uint32Array(doubles.buffer);

/** The double whose bits are `lo` and `hi`. */
export function doubleOf(lo: number, hi: number): number {
  doubleWords[0] = lo;
  doubleWords[1] = hi;
  return doubles[0]!;
}
