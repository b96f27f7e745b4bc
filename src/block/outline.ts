// The outline of a block: the operations, resources and scopes of its spans, and the longest duration of each
// operation. A part keeps the outlines of all its blocks together (part/outlines.ts), so most searches choose blocks
// without opening any.
import { assert } from '../base/assert.ts';
import { serviceName, operationName } from '../trace/service-name.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';

export interface OutlineOperation {
  /** The name as listed to users. */
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly status: number;
}

export interface BlockOutline {
  /** Each once, with the longest of its spans in ns. */
  readonly operations: ReadonlyMap<OutlineOperation, number>;
  /** Descriptors (SpanBatch.resources), each once. */
  readonly resources: readonly Uint8Array[];
  readonly scopes: readonly Uint8Array[];
}

/** The rows of a block by template: rows[starts[t]] … rows[starts[t + 1] - 1] are indexes into the block's row list. */
interface TemplateRows {
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
  /** Batch template ids. */
  readonly templates: Int32Array;
}

/** The outline of the block made from `rows` of `batch`, and the operation of each of its templates. */
export function outlineOf(
  batch: SpanBatch,
  rows: Uint32Array,
  buckets: TemplateRows,
): { outline: BlockOutline; operationOf: OutlineOperation[] } {
  // An empty outline would mean that the part knows nothing about the block.
  assert(buckets.templates.length > 0, 'an outline of no rows');
  const { ints } = batch.spanTemplates;
  const resources = new Map<number, string>();
  const scopes = new Set<number>();
  const byKey = new Map<string, OutlineOperation>();
  const operations = new Map<OutlineOperation, number>();
  const operationOf = Array.from(buckets.templates, (template, id) => {
    const head = batch.spanTemplates.start(template);
    scopes.add(ints[head + T.SPAN_SCOPE]!);
    const resource = ints[head + T.SPAN_RESOURCE]!;
    let service = resources.get(resource);
    if (service === undefined) {
      service = serviceName(parseDescriptor(batch.resources.bytes(resource)).message);
      resources.set(resource, service);
    }
    const nameId = ints[head + T.SPAN_NAME]!;
    const kind = ints[head + T.SPAN_KIND]!;
    const status = ints[head + T.SPAN_STATUS]!;
    const key = `${nameId} ${kind} ${status} ${service}`;
    let operation = byKey.get(key);
    if (operation === undefined) {
      // The listed name: an empty name has a substitute, and invalid UTF-8 is replaced.
      operation = { service, name: operationName(batch.strings.text(nameId)), kind, status };
      byKey.set(key, operation);
    }
    let longest = operations.get(operation) ?? -Infinity;
    for (let i = buckets.starts[id]!; i < buckets.starts[id + 1]!; i++) {
      const duration = batch.duration[rows[buckets.rows[i]!]!]!;
      if (duration > longest) longest = duration;
    }
    operations.set(operation, longest);
    return operation;
  });
  const outline = {
    operations,
    resources: Array.from(resources.keys(), (id) => batch.resources.bytes(id).slice()),
    scopes: Array.from(scopes, (id) => batch.scopes.bytes(id).slice()),
  };
  return { outline, operationOf };
}
