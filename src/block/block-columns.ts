// The numbers of a block's columns, and the sections that have value columns. Numbers are stored: never reuse one.
// docs/format/block.md says what each column holds.

/** Dictionaries. */
export const COLUMN_STRINGS = 1;
export const COLUMN_RESOURCES = 2;
export const COLUMN_SCOPES = 3;
/** Templates of the three sections, and the constants they name. */
export const COLUMN_TEMPLATES = 4; // + section
export const COLUMN_CONSTANTS = 7; // + section
/** One entry a trace. */
export const COLUMN_TRACE_IDS = 10;
export const COLUMN_TRACE_SIZES = 11;
export const COLUMN_TRACE_STARTS = 12;
/** One entry a row. */
export const COLUMN_ROW_TEMPLATES = 13; // + section
export const COLUMN_SPAN_IDS = 16;
export const COLUMN_PARENTS = 17;
export const COLUMN_ORPHAN_PARENTS = 18;
export const COLUMN_STARTS = 19;
export const COLUMN_DURATIONS = 20;
export const COLUMN_CHILD_COUNTS = 20; // + section: events and links per row that has any
export const COLUMN_EVENT_TIMES = 23;
export const COLUMN_LINK_IDS = 24;
/** Values of one field: the directory entry names section and field. */
export const COLUMN_VALUES = 32;
/** The distinct values of a text field, if the block's groups share them. */
export const COLUMN_DISTINCT = 33;

export const SECTION_SPANS = 0;
export const SECTION_EVENTS = 1;
export const SECTION_LINKS = 2;

/** Parent column: the values that are not a distance inside the trace. */
export const PARENT_NONE = 0;
export const PARENT_ORPHAN = 1;
export const PARENT_FIRST = 2;
