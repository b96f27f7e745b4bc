// The references of a span in Jaeger's JSON: its parent and its links (contract/jaeger.md §4.2).
import type { JsonWriter } from '../../bytes/json-writer.ts';
import { WireReader } from '../../bytes/wire-reader.ts';
import { formatLegacyTraceId } from '../../trace/ids.ts';
import { STRING } from '../../trace/any-value.ts';
import { readAttributes, textOf } from '../../trace/attributes.ts';
import { lastRange, NO_SPAN, spanIdOf } from './jaeger-model.ts';

export interface LinkView {
  readonly traceId: string;
  readonly spanId: string;
  readonly isChildOf: boolean;
  readonly isValid: boolean;
}

export function readLink(bytes: Uint8Array, start: number, end: number): LinkView {
  const [idStart, idEnd] = lastRange(bytes, start, end, 1);
  const traceBytes = bytes.subarray(idStart, idEnd);
  const reader = new WireReader(bytes, start, end);
  let spanId = NO_SPAN;
  while (reader.next()) if (reader.field === 2) spanId = spanIdOf(bytes, reader);
  const refType = readAttributes(bytes, start, end, 4).find(({ key }) => key === 'opentracing.ref_type');
  return {
    traceId: formatLegacyTraceId(traceBytes),
    spanId,
    isChildOf: refType?.type === STRING && textOf(bytes, refType) === 'child_of',
    isValid: traceBytes.some((byte) => byte !== 0),
  };
}

export interface References {
  readonly traceId: string;
  /** "" for a root. */
  readonly parentId: string;
  readonly links: readonly LinkView[];
}

/** A reference as it is shown; trace ids in the legacy form. */
export type ReferenceView = Pick<LinkView, 'traceId' | 'spanId' | 'isChildOf'>;

/** The parent first, then the links; a link to the parent is not repeated, but its type replaces the parent's. */
export function referencesOf({ traceId, parentId, links }: References): readonly ReferenceView[] {
  const isParent = (link: LinkView): boolean => link.spanId === parentId && link.traceId === traceId;
  const parent = { traceId, spanId: parentId, isChildOf: links.findLast(isParent)?.isChildOf ?? true };
  const others = links.filter((link) => !isParent(link));
  return parentId === '' ? others : [parent, ...others];
}

/** Writes the references without the brackets around them. */
export function writeReferences(out: JsonWriter, references: readonly ReferenceView[]): void {
  for (const [i, to] of references.entries()) {
    const refType = to.isChildOf ? 'CHILD_OF' : 'FOLLOWS_FROM';
    out.text(`${i > 0 ? ',' : ''}{"refType":"${refType}","traceID":"${to.traceId}","spanID":"${to.spanId}"}`);
  }
}
