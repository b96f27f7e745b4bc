// What answers forbid a browser, on the real listener.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pagePolicy } from '../../../src/api/http/security-headers.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';
import { MadeUi } from '../../support/made-ui.ts';

const ui = new MadeUi();
let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers({ flags: [`-jaegerui.dir=${ui.dir}`] });
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
  ui[Symbol.dispose]();
});

describe('every answer', () => {
  test.each([
    ['/health', 200, 'localhost'],
    ['/metrics', 200, 'localhost'],
    ['/api/services', 200, 'localhost'],
    ['/api/traces/xyz', 400, 'localhost'],
    ['/no/such', 404, 'localhost'],
    ['/v1/traces', 405, 'localhost'],
    ['/health', 421, 'evil.example'],
  ])('%s with %d forbids what data has no need of', async (path, status, host) => {
    const answer = await edge.send({ method: 'GET', path, headers: { host } });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    expect(answer.headers['strict-transport-security']).toBeUndefined();
  });

  test('has what the operator chose instead', async () => {
    const flags = ["-http.header.csp=default-src 'self'", '-http.header.hsts=max-age=5', `-jaegerui.dir=${ui.dir}`];
    await using own = await openEdgeServers({ flags });
    for (const path of ['/health', '/search']) {
      const { headers } = await own.send({ method: 'GET', path, headers: { host: 'localhost' } });
      expect(headers['content-security-policy']).toBe("default-src 'self'");
      expect(headers['strict-transport-security']).toBe('max-age=5');
      expect(headers['x-frame-options']).toBeUndefined();
    }
  });
});

describe('the page of Jaeger UI', () => {
  test('runs its own scripts by hash, its own files, and nothing else', async () => {
    const { headers, text } = await edge.send({ method: 'GET', path: '/search' });
    const policy = headers['content-security-policy'];
    expect(policy).toBe(pagePolicy(text));
    expect(policy).toMatch(/script-src 'self' 'wasm-unsafe-eval' 'sha256-[\w+/]{43}='; /);
    expect(/script-src[^;]*/.exec(String(policy))![0]).not.toContain('unsafe-inline');
    const file = await edge.send({ method: 'GET', path: '/static/index-9SkmOgUD.js' });
    expect(file.headers['content-security-policy']).toBe(policy);
  });

  test('has a hash for each inline script, of its text as a browser reads it', () => {
    const policy = pagePolicy('<script>a\r\nb</script><script src="x"></script><script type="module">c</script>');
    // printf 'a\nb' | openssl dgst -sha256 -binary | base64
    expect(policy.match(/'sha256-[^']+'/g)).toEqual([
      "'sha256-fhj3NzEbLcOy8mndeDlrA1HxT7Zu+oefdoyyMYGIPHg='",
      "'sha256-Ln0sA6lQeuJl7PW1NWiFpTOTogKdJBOUmXJloaJa78Y='",
    ]);
  });
});
