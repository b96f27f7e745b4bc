// The kinds of spans: OTLP's numbers and their words in Jaeger and OTLP formats. Higher numbers come from newer
// clients: they are stored unchanged and have no word.

/** Indexed by OTLP's numbers. */
export const SPAN_KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_MAX: number = SPAN_KINDS.length - 1;

/** The word of a kind in Jaeger's lists and tags: "" for unspecified and unknown kinds. */
export function kindName(kind: number): string {
  return kind === 0 ? '' : (SPAN_KINDS[kind] ?? '');
}

/** The kind of a word: 0 for "", -1 for an unknown word. */
export function kindNumber(name: string): number {
  return name === '' ? 0 : (SPAN_KINDS as readonly string[]).indexOf(name, 1);
}

/** As kindName, for nodes of a cluster: a kind without a word is its number in decimal digits. */
export function exactKindName(kind: number): string {
  return kind > KIND_MAX ? String(kind) : kindName(kind);
}

/** The kind of exactKindName; -1 for a word that is none. */
export function exactKindNumber(name: string): number {
  return /^\d+$/.test(name) ? Number(name) : kindNumber(name);
}
