// A filter over spans: the domain's form of Jaeger's `jaeger.expression.v1` (contract/jaeger.md §5.5; RFC 0005 and the
// package query/expression/v1 of jaeger-idl say what it means). A tree of plain data whose constants are already read:
// every filter of this type is well formed, whoever made it (api/jaeger/parse-filter.ts) has checked that.
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

/** What a built-in field holds; `kind` and `status` are texts of a closed set of words. */
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

/** By OTLP's numbers, as SPAN_KINDS of span-kinds.ts. */
export const STATUS_WORDS: readonly string[] = ['unset', 'ok', 'error'];

/** Names values of a span: none when it has none, several for a key that stands at both levels, or of all its events. */
export type FilterReference =
  /** `level` '' is the span or its resource. Keys are not empty. */
  | { readonly kind: 'attribute'; readonly key: string; readonly level: AttributeLevel | '' }
  | { readonly kind: 'field'; readonly name: FieldName };

export type FilterConstant =
  /** Read as whatever the other side holds: its text, the number or the boolean that the text is, if it is one. */
  | {
      readonly kind: 'any';
      readonly text: string;
      readonly number: bigint | number | undefined;
      readonly bool: boolean | undefined;
    }
  | { readonly kind: 'string'; readonly text: string }
  /** Matches integers alone, and the next one doubles alone. */
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** A duration, or an instant since the epoch, in ns. Stands beside fields that hold one. */
  | { readonly kind: 'ns'; readonly value: bigint };

export type FilterOperand = FilterReference | FilterConstant;

/**
 * A reference without a value makes every comparison false, `ne` and `not_in` too; only `not` turns that round. Of several
 * values one must fit; for `ne` and `not_in` none may.
 */
export type Filter =
  | { readonly op: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly op: 'not'; readonly filter: Filter }
  | { readonly op: 'exists'; readonly reference: FilterReference }
  /** A constant never stands left of a reference. */
  | { readonly op: Comparison; readonly left: FilterOperand; readonly right: FilterOperand }
  | { readonly op: 'in' | 'not_in'; readonly reference: FilterReference; readonly values: readonly FilterConstant[] }
  /** Matched anywhere in the text; see trace/pattern.ts. */
  | { readonly op: 'regex'; readonly reference: FilterReference; readonly pattern: string }
  /** One event (or link) meets all of `filter`, whose references of that level mean this one alone. */
  | { readonly op: 'some'; readonly level: ChildLevel; readonly filter: Filter };

export function isReference(operand: FilterOperand): operand is FilterReference {
  return operand.kind === 'attribute' || operand.kind === 'field';
}
