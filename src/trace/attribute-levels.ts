// The levels of a span at which an attribute can be: one list for the index, filters and blocks.

/** Position in this list + 1 is the byte that the index stores (docs/format/index.md): append only. */
export const ATTRIBUTE_LEVELS = ['resource', 'scope', 'span', 'event', 'link'] as const;
export type AttributeLevel = (typeof ATTRIBUTE_LEVELS)[number];

/** The levels of which a span has several. */
export type ChildLevel = 'event' | 'link';

/** Levels with columns of their own in a block, by section number; the others are descriptors of many spans. */
export const SECTION_LEVELS = ['span', 'event', 'link'] as const satisfies readonly AttributeLevel[];
