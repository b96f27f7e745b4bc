// A filter over spans: the internal form of Jaeger's `jaeger.expression.v1` (contract/jaeger.md §5.5; meaning: RFC 0005
// and the package query/expression/v1 of jaeger-idl). A tree of plain data with parsed constants. Every filter of this
// type is well formed: its maker (api/jaeger/parse-filter.ts) has checked that.
import type { AttributeLevel, ChildLevel } from './attribute-levels.ts';

/** The operators of the wire; all of them are evaluated. */
export const FILTER_OPERATORS = [
  'and',
  'or',
  'not',
  'eq',
  'ne',
  'gt',
  'lt',
  'gte',
  'lte',
  'regex',
  'exists',
  'in',
  'not_in',
  'some',
] as const;
export type FilterOperator = (typeof FILTER_OPERATORS)[number];
export type Comparison = 'eq' | 'ne' | 'gt' | 'lt' | 'gte' | 'lte';

/** Value type of a built-in field; `kind` and `status` are words of a closed set. */
export type FieldType = 'string' | 'duration' | 'timestamp' | 'kind' | 'status';

/** The built-in fields of each level. */
export const FILTER_FIELDS = {
  span: {
    traceID: 'string',
    spanID: 'string',
    parentSpanID: 'string',
    traceState: 'string',
    name: 'string',
    kind: 'kind',
    startTime: 'timestamp',
    endTime: 'timestamp',
    status: 'status',
    statusMessage: 'string',
    duration: 'duration',
  },
  resource: { service: 'string', schemaURL: 'string' },
  scope: { name: 'string', version: 'string', schemaURL: 'string' },
  event: { name: 'string', time: 'timestamp', timeSinceStart: 'duration' },
  link: { traceID: 'string', spanID: 'string', traceState: 'string' },
} as const satisfies Record<AttributeLevel, Record<string, FieldType>>;

/** `level.name` of a built-in field. */
export type FieldName = {
  [L in AttributeLevel]: `${L}.${keyof (typeof FILTER_FIELDS)[L] & string}`;
}[AttributeLevel];

/** Indexed by OTLP's numbers, like SPAN_KINDS of span-kinds.ts. */
export const STATUS_WORDS: readonly string[] = ['unset', 'ok', 'error'];

/** Refers to values of a span: none, one, or several (a key at both levels, or values of all events). */
export type FilterReference =
  /** `level` '' means the span or its resource. Keys are not empty. */
  | { readonly kind: 'attribute'; readonly key: string; readonly level: AttributeLevel | '' }
  | { readonly kind: 'field'; readonly name: FieldName };

export type FilterConstant =
  /** Takes the type of the other side: text, or the number or boolean in the text, if it is one. */
  | {
      readonly kind: 'any';
      readonly text: string;
      readonly number: bigint | number | undefined;
      readonly bool: boolean | undefined;
    }
  | { readonly kind: 'string'; readonly text: string }
  /** Matches integers only; the next one matches doubles only. */
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** A duration, or an instant since the epoch, in ns. Compared with fields of these types. */
  | { readonly kind: 'ns'; readonly value: bigint };

export type FilterOperand = FilterReference | FilterConstant;

/**
 * If a reference has no value, every comparison with it is false, `ne` and `not_in` too; only `not` inverts that. If it
 * has several values, one must match; for `ne` and `not_in` all must differ.
 */
export type Filter =
  | { readonly op: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly op: 'not'; readonly filter: Filter }
  | { readonly op: 'exists'; readonly reference: FilterReference }
  /** The left side is never a constant if the right side is a reference. */
  | { readonly op: Comparison; readonly left: FilterOperand; readonly right: FilterOperand }
  | { readonly op: 'in' | 'not_in'; readonly reference: FilterReference; readonly values: readonly FilterConstant[] }
  /** Matches anywhere in the text; see trace/pattern.ts. */
  | { readonly op: 'regex'; readonly reference: FilterReference; readonly pattern: string }
  /** One event (or link) meets all of `filter`, where references of that level mean this event or link only. */
  | { readonly op: 'some'; readonly level: ChildLevel; readonly filter: Filter };

export function isReference(operand: FilterOperand): operand is FilterReference {
  return operand.kind === 'attribute' || operand.kind === 'field';
}
