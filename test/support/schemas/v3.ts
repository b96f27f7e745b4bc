// The replies of Jaeger's API v3 as the UI's own schemas take them (contract/jaeger.md §1.5, §2.4): one bad element fails
// the whole answer there. The OTLP JSON of traces is checked to the leaf: hex ids, 64-bit integers as decimal strings, kinds
// and codes as integers.
import { z } from 'zod';
import { count, number } from './strict-json.ts';

const traceId = z.string().regex(/^[0-9a-f]{32}$/);
const spanId = z.string().regex(/^[0-9a-f]{16}$/);
const decimal = z.string().regex(/^\d{1,20}$/);

const keyValue: z.ZodType = z.lazy(() => z.strictObject({ key: z.string().optional(), value: anyValue.optional() }));
/** A oneof: at most one member. */
const anyValue: z.ZodType = z.lazy(() =>
  z
    .strictObject({
      stringValue: z.string(),
      boolValue: z.boolean(),
      intValue: z.string().regex(/^-?\d{1,19}$/),
      doubleValue: z.union([number, z.enum(['NaN', 'Infinity', '-Infinity'])]),
      bytesValue: z.string(),
      arrayValue: z.strictObject({ values: z.array(anyValue).optional() }),
      kvlistValue: z.strictObject({ values: z.array(keyValue).optional() }),
    })
    .partial()
    .refine((value) => Object.keys(value).length <= 1, 'two members of a oneof'),
);
const attributes = z.array(keyValue).optional();
const dropped = count.optional();

const span = z.strictObject({
  traceId,
  spanId,
  traceState: z.string().optional(),
  parentSpanId: spanId.optional(),
  flags: dropped,
  name: z.string().optional(),
  kind: z.int().optional(),
  startTimeUnixNano: decimal.optional(),
  endTimeUnixNano: decimal.optional(),
  attributes,
  droppedAttributesCount: dropped,
  events: z
    .array(
      z.strictObject({
        timeUnixNano: decimal.optional(),
        name: z.string().optional(),
        attributes,
        droppedAttributesCount: dropped,
      }),
    )
    .optional(),
  droppedEventsCount: dropped,
  links: z
    .array(
      z.strictObject({
        // A link may point to nothing; what it carries is kept.
        traceId: z
          .string()
          .regex(/^[0-9a-f]*$/)
          .optional(),
        spanId: z
          .string()
          .regex(/^[0-9a-f]*$/)
          .optional(),
        traceState: z.string().optional(),
        attributes,
        droppedAttributesCount: dropped,
        flags: dropped,
      }),
    )
    .optional(),
  droppedLinksCount: dropped,
  status: z.strictObject({ message: z.string().optional(), code: z.int().optional() }),
});

const entityRef = z.strictObject({
  schemaUrl: z.string().optional(),
  type: z.string().optional(),
  idKeys: z.array(z.string()).optional(),
  descriptionKeys: z.array(z.string()).optional(),
});

/** TracesData as JSON. */
const traces = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z
        .strictObject({ attributes, droppedAttributesCount: dropped, entityRefs: z.array(entityRef).optional() })
        .optional(),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({
            name: z.string().optional(),
            version: z.string().optional(),
            attributes,
            droppedAttributesCount: dropped,
          }),
          spans: z.array(span).min(1),
          schemaUrl: z.string().optional(),
        }),
      ),
      schemaUrl: z.string().optional(),
    }),
  ),
});

const summary = z.strictObject({
  traceId,
  rootServiceName: z.string().optional(),
  rootOperationName: z.string().optional(),
  minStartTimeUnixNano: decimal,
  maxEndTimeUnixNano: decimal,
  spanCount: z.int().positive(),
  errorSpanCount: count.optional(),
  orphanSpanCount: count.optional(),
  services: z
    .array(z.strictObject({ name: z.string(), spanCount: z.int().positive(), errorSpanCount: count.optional() }))
    .min(1),
});

export const v3Schemas: Readonly<
  Record<'services' | 'operations' | 'result' | 'summaries' | 'dependencies' | 'refusal', z.ZodType>
> = {
  services: z.strictObject({ services: z.array(z.string()) }),
  operations: z.strictObject({
    operations: z.array(
      z.strictObject({ name: z.string(), spanKind: z.enum(['internal', 'server', 'client', 'producer', 'consumer']) }),
    ),
  }),
  result: z.strictObject({ result: traces }),
  summaries: z.strictObject({ summaries: z.array(summary) }),
  dependencies: z.strictObject({
    dependencies: z.array(z.strictObject({ parent: z.string(), child: z.string(), callCount: z.int().positive() })),
  }),
  refusal: z.strictObject({
    error: z.strictObject({ httpCode: z.union([z.literal(400), z.literal(404)]), message: z.string().min(1) }),
  }),
};
