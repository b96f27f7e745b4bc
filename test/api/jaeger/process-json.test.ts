// A process is written once for equal bytes, and anew where its tags are not its bytes alone.
import { expect, test } from 'vitest';
import { readTraceView } from '../../../src/api/jaeger/jaeger-model.ts';
import type { ProcessJson } from '../../../src/api/jaeger/known-resources.ts';
import { processJson } from '../../../src/api/jaeger/process-json.ts';
import type { TraceView } from '../../../src/api/jaeger/trace-view.ts';
import { attribute, requestOf, span } from '../../block/scanned.ts';
import { encodeRequest, type OtlpKeyValue } from '../../support/otlp-proto.ts';

function viewOf(attributes: readonly OtlpKeyValue[], id = 1): TraceView {
  const request = requestOf([span(id)]);
  request.resourceSpans![0]!.resource!.attributes!.push(...attributes);
  return readTraceView(encodeRequest(request))!;
}

const jsonOf = (view: TraceView, isRaw = false): ProcessJson => processJson(view.bytes, view.resources[0]!, isRaw);

test('equal resources of two traces are one process, written once', () => {
  const attributes = [attribute('z', 'last'), attribute('a', { intValue: 5n })];
  const first = jsonOf(viewOf(attributes));
  expect(JSON.parse(first.json)).toEqual({
    serviceName: 'shop',
    tags: [
      { key: 'a', type: 'int64', value: 5 },
      { key: 'z', type: 'string', value: 'last' },
    ],
  });
  expect(jsonOf(viewOf(attributes, 2))).toBe(first);
  expect(jsonOf(viewOf([attribute('z', 'other')])).json).not.toBe(first.json);
});

test('raw, tags are in the order of the wire; the key is the same', () => {
  const view = viewOf([attribute('z', 'last'), attribute('a', 'first')]);
  const tagsOf = ({ json }: ProcessJson): string[] =>
    (JSON.parse(json) as { tags: { key: string }[] }).tags.map(({ key }) => key);
  expect(tagsOf(jsonOf(view, true))).toEqual(['z', 'a']);
  expect(tagsOf(jsonOf(view))).toEqual(['a', 'z']);
  expect(jsonOf(view, true).key).toBe(jsonOf(view).key);
});

test('tags that adjusting moved to the process are in it, and not in the next one', () => {
  const view = viewOf([attribute('k', 'v')]);
  view.resources[0]!.moved.push({ key: 'moved', type: 2, lo: 1, hi: 0, own: undefined });
  expect(jsonOf(view).json).toContain('moved');
  expect(jsonOf(viewOf([attribute('k', 'v')])).json).not.toContain('moved');
});

test('many different processes are all written right', () => {
  for (let i = 0; i < 3_000; i++) {
    const value = `${i} ${'x'.repeat(2_000)}`;
    expect(jsonOf(viewOf([attribute('k', value)])).json).toContain(value);
  }
});
