// What every answer tells a browser to forbid: nothing of it is run, framed, sniffed or referred to. Pages of Jaeger UI name what
// they need: their own files, and their inline scripts by hash, so that a script that came in with the data does not run.
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

export interface SecurityHeaders {
  /** -http.header.csp: replaces the policies of this file; '' keeps them. */
  readonly cspHeader: string;
  /** -http.header.hsts: Strict-Transport-Security of every answer; '' sends none. */
  readonly hstsHeader: string;
}

const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Adds the headers to every answer of `app`, refusals too. Call before other hooks. */
export function sendSecurityHeaders(app: FastifyInstance, { cspHeader, hstsHeader }: SecurityHeaders): void {
  const headers = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'content-security-policy': cspHeader === '' ? DATA_POLICY : cspHeader,
    // A policy of the operator may allow frames, which this older header would forbid.
    ...(cspHeader === '' ? { 'x-frame-options': 'DENY' } : {}),
    ...(hstsHeader === '' ? {} : { 'strict-transport-security': hstsHeader }),
  };
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(headers);
    done();
  });
}

const INLINE_SCRIPT = /<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/gi;

/**
 * The policy of a page of Jaeger UI: its inline scripts by the hash of their text. Its styles are made by script, and its graphs
 * are laid out by WebAssembly in a worker made from a blob.
 */
export function pagePolicy(html: string): string {
  const hashes = [...html.matchAll(INLINE_SCRIPT)].map(
    ([, text = '']) => `'sha256-${createHash('sha256').update(text.replace(/\r\n?/g, '\n')).digest('base64')}'`,
  );
  return [
    "default-src 'self'",
    `script-src ${["'self'", "'wasm-unsafe-eval'", ...new Set(hashes)].join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}
