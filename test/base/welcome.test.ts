import { expect, test } from 'vitest';
import { welcomeLine } from '../../src/base/welcome.ts';

test.each<[Record<string, string>, string, string]>([
  [
    { http: '127.0.0.1:10428', otlpHttp: '127.0.0.1:4318', otlpGrpc: '127.0.0.1:4317' },
    '',
    'open http://127.0.0.1:10428/ to see what is stored; next: send OTLP traces to http://127.0.0.1:4318 (HTTP) or http://127.0.0.1:4317 (gRPC)',
  ],
  [
    { http: '0.0.0.0:80', otlpGrpc: '[::]:4317' },
    '/p',
    'open http://localhost:80/p/ to see what is stored; next: send OTLP traces to http://localhost:4317 (gRPC)',
  ],
  [
    { http: '[::1]:80' },
    '',
    'open http://[::1]:80/ to see what is stored; next: send OTLP traces to http://[::1]:80/v1/traces',
  ],
])('%j', (addresses, prefix, expected) => {
  expect(welcomeLine(addresses, { pathPrefix: prefix })).toBe(expected);
});

test('over TLS, it is said so', () => {
  const line = welcomeLine(
    { http: '[::]:1', otlpHttp: '0.0.0.0:2' },
    { pathPrefix: '', httpTls: true, otlpHttpTls: true },
  );
  expect(line).toMatch(/open https:\/\/localhost:1\/ .* to https:\/\/localhost:2 \(HTTP\)$/);
});
