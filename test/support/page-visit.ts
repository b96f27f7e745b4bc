// Visits of the node's pages in Debian's chromium: each notes what goes wrong in the page, takes pictures, and has axe look at it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { OtlpRequest, OtlpSpan } from './otlp-proto.ts';
import { root } from './source-tree.ts';
import { openBrowser } from './ui-page.ts';

const pictures = join(root, 'build', 'screenshots');
export const PHONE: { readonly width: number; readonly height: number } = { width: 360, height: 740 };

/** A trace of one span a service, each the child of the one before. */
export function traceOf(id: number, services: readonly string[], failed = ''): OtlpRequest {
  const startNs = BigInt(Date.now()) * 1_000_000n;
  return {
    resourceSpans: services.map((service, i) => {
      const span: OtlpSpan = {
        traceId: Buffer.alloc(16, id),
        spanId: Buffer.from(`span${String(i).padStart(4, '0')}`),
        ...(i === 0 ? {} : { parentSpanId: Buffer.from(`span${String(i - 1).padStart(4, '0')}`) }),
        name: `GET /${service}`,
        kind: 2,
        startTimeUnixNano: startNs + BigInt(i) * 1_000n,
        endTimeUnixNano: startNs + 50_000_000n,
        ...(service === failed ? { status: { code: 2, message: 'sold out' } } : {}),
      };
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
      return { resource, scopeSpans: [{ spans: [span] }] };
    }),
  };
}

export class Visits implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Builds the pages, and opens a browser for all visits. */
  static async open(): Promise<Visits> {
    execFileSync(process.execPath, [join(root, 'deploy', 'build-ui.mjs')]);
    mkdirSync(pictures, { recursive: true });
    return new Visits(await openBrowser());
  }

  async begin(url: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Visit> {
    const visit = new Visit(await this.#browser.newPage({ viewport: { width: 1200, height: 900 }, ...options }));
    await visit.page.goto(url);
    return visit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

export class Visit implements AsyncDisposable {
  readonly page: Page;
  /** Exceptions, errors in the console (what the page's policy refused too), answers of 400 on, dialogs. */
  readonly wrong: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(60_000); // a busy machine parses a large trace for a while
    page.on('pageerror', (error) => this.wrong.push(error.message));
    page.on('console', (message) => message.type() === 'error' && this.wrong.push(message.text()));
    page.on(
      'response',
      (response) => response.status() >= 400 && this.wrong.push(`${response.status()} ${response.url()}`),
    );
    page.on('dialog', (dialog) => this.wrong.push(`dialog ${dialog.message()}`));
  }

  async see(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  /** Takes the picture build/screenshots/NAME.png. */
  async picture(name: string): Promise<void> {
    await this.page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  }

  /** Takes the picture, and expects no error, nothing wider than the window, and nothing that axe finds. */
  async judge(name: string): Promise<void> {
    await this.picture(name);
    expect(this.wrong).toEqual([]);
    const overflow = await this.page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow, 'pixels beyond the window').toBeLessThanOrEqual(0);
    await this.page.evaluate(axeSource());
    const found = await this.page.evaluate('axe.run().then(({ violations }) => violations)');
    const told = (found as { id: string; nodes: { html: string }[] }[]).map(({ id, nodes }) => [
      id,
      nodes.map(({ html }) => html),
    ]);
    expect(told).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
  }
}

function axeSource(): string {
  return readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
}
