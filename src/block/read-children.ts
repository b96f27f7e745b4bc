// Assigns events (or links) to the rows of a group.
import { StoreError } from '../base/errors.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import type { GroupReader } from './group-reader.ts';
import type { SectionReader } from './read-section.ts';

/**
 * The first child of each row, then the child count. Only rows whose template says so have children and an entry in the
 * count column. Throws CORRUPTION when the counts do not add up.
 */
export function readChildStarts(group: GroupReader, spans: SectionReader, children: SectionReader): Uint32Array {
  const bit = children.section === C.SECTION_EVENTS ? T.HAS_EVENTS : T.HAS_LINKS;
  const counts = group.numbers(C.COLUMN_CHILD_COUNTS + children.section);
  const { rowCount } = group;
  const starts = new Uint32Array(rowCount + 1);
  let from = 0;
  let total = 0;
  let isWhole = true;
  for (let row = 0; row < rowCount; row++) {
    const has = (spans.templates.head(spans.rowTemplates[row]!, T.SPAN_PRESENCE) & bit) !== 0;
    const count = has ? (counts[from++] ?? NaN) : 0;
    isWhole &&= count >>> 0 === count;
    total += count;
    starts[row + 1] = total;
  }
  if (!isWhole || from !== counts.length || total !== children.rows.length) {
    throw new StoreError('CORRUPTION', 'the child counts do not fit the rows');
  }
  return starts;
}
