// How an answer says that nodes of a cluster did not contribute: a header (gRPC: trailer) that programs can check, beside
// the warnings for people.
import type { Marked } from '../../trace/store.ts';

/** The missing nodes, with commas; absent: all contributed. */
export const PARTIAL_HEADER = 'x-tracelith-partial';

const NAMES_CHARS_MAX = 1_000;

/** The lines that `found` adds to the warnings of its answer. */
export function warningsOf({ warnings, missing = [] }: Marked): readonly string[] {
  if (missing.length === 0) return warnings;
  return [...missing.map(({ node, reason }) => `without what node ${node} stores: ${reason}`), ...warnings];
}

/** The value of PARTIAL_HEADER, printable ASCII; undefined if nothing is missing. */
export function partialHeader({ missing = [] }: Marked): string | undefined {
  if (missing.length === 0) return undefined;
  const names = [...new Set(missing.map(({ node }) => node))].join(',');
  return names.slice(0, NAMES_CHARS_MAX).replace(/[^ -~]/g, '?');
}
