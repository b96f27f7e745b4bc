// The kinds of spans: OTLP's numbers and the words for them, wherever a form of Jaeger's or OTLP's names one. Numbers beyond
// these come from newer senders: they are stored as they came and have no word.

/** By OTLP's numbers. */
export const SPAN_KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_MAX: number = SPAN_KINDS.length - 1;

/** The word of a kind in Jaeger's lists and tags: "" for unspecified and unknown ones. */
export function kindName(kind: number): string {
  return kind === 0 ? '' : (SPAN_KINDS[kind] ?? '');
}

/** The kind of such a word: 0 for "", -1 for what is none. */
export function kindNumber(name: string): number {
  return name === '' ? 0 : (SPAN_KINDS as readonly string[]).indexOf(name, 1);
}
