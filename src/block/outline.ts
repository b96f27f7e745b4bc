// The outline of a block: which operations, resources and scopes its spans have, and how long each operation took at
// most. A part keeps the outlines of all its blocks together (part/outlines.ts), so that most searches know which blocks
// to open without opening one.
import { assert } from '../base/assert.ts';
import { serviceName, operationName } from '../trace/service-name.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';

export interface OutlineOperation {
  /** As they are listed. */
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

/** The rows of a block by template: rows[starts[t]] … rows[starts[t + 1] - 1] are places in the block's row list. */
interface TemplateRows {
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
  /** Batch template ids. */
  readonly templates: Int32Array;
}

/** The outline of the block that `rows` of `batch` become, and the operation of each of its templates. */
export function outlineOf(
  batch: SpanBatch,
  rows: Uint32Array,
  buckets: TemplateRows,
): { outline: BlockOutline; operationOf: OutlineOperation[] } {
  // A block of which the part lists nothing would be taken for one that it knows nothing of.
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
      // An empty name has one where it is listed, and bytes that are no UTF-8 are replaced.
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
