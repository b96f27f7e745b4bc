// Where an attribute can stand in a span. One list for the index, filters and what blocks name.

/** Position in this list + 1 is the byte that the index stores (docs/format/index.md): append only. */
export const ATTRIBUTE_LEVELS = ['resource', 'scope', 'span', 'event', 'link'] as const;
export type AttributeLevel = (typeof ATTRIBUTE_LEVELS)[number];

/** What a span has several of. */
export type ChildLevel = 'event' | 'link';

/** Levels that have a section of columns in a block, by its number; the other two are descriptors, one for many spans. */
export const SECTION_LEVELS = ['span', 'event', 'link'] as const satisfies readonly AttributeLevel[];
