// The texts to copy name the addresses of the node that shows them. That they work: test/system/first-page.test.ts runs them.
import { expect, test } from 'vitest';
import { samplesOf } from '../../src/ui/samples.ts';

const ids = { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174' };

test('behind a prefix and a name, everything is sent where the page came from', () => {
  const place = { mount: 'http://traces.example:8080/p/', otlpHttp: '0.0.0.0:4318', otlpGrpc: '[::1]:4317' };
  const [curl, sdk, collector] = samplesOf(place, ids).map(({ text }) => text);
  expect(curl).toContain('curl -i http://traces.example:8080/p/v1/traces -H');
  expect(curl).toContain(ids.traceId);
  expect(sdk).toContain('ENDPOINT=http://traces.example:4318\n');
  expect(sdk).toContain('ENDPOINT=http://traces.example:4317\n');
  expect(collector).toContain('traces_endpoint: http://traces.example:8080/p/insert/opentelemetry/v1/traces\n');
});

test('where the listeners of OTLP are closed, SDKs send to the page', () => {
  const [, sdk] = samplesOf({ mount: 'http://127.0.0.1:10428/' }, ids);
  expect(sdk!.text).toContain('ENDPOINT=http://127.0.0.1:10428\n');
  expect(sdk!.text).not.toContain('grpc');
});
