// A page of the real Jaeger UI in Debian's chromium. It notes what went wrong in it: errors, requests that failed or left the
// UI's mount. JAEGER_UI_DIR names unpacked builds, separated by ":"; CHROMIUM another browser; UI_SCREENSHOTS a folder for a
// picture of every page.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

export const BROWSER_PATH: string = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const pictures = process.env['UI_SCREENSHOTS'];
const pageMs = 20_000;

/** The builds there are, when there is a browser: those that ask for summaries (2.19 and later) and those before. */
export const UI_BUILDS: { readonly new: readonly string[]; readonly old: readonly string[] } = (() => {
  const named = (process.env['JAEGER_UI_DIR'] ?? '').split(':').filter((dir) => dir !== '');
  const dirs = existsSync(BROWSER_PATH) ? named : [];
  return { new: dirs.filter(asksForSummaries), old: dirs.filter((dir) => !asksForSummaries(dir)) };
})();

function asksForSummaries(dir: string): boolean {
  const folder = join(dir, 'static');
  const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'));
  return scripts.some((name) => readFileSync(join(folder, name), 'utf8').includes('trace-summaries'));
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: BROWSER_PATH, args: ['--no-sandbox'] });
}

export class UiPage {
  readonly page: Page;
  /** What went wrong in the page, and requests that did not succeed. */
  readonly wrong: string[] = [];
  /** Method and path of every answered request. */
  readonly asked: string[] = [];
  readonly #root: string;

  private constructor(page: Page, root: string) {
    this.page = page;
    this.#root = root;
  }

  /** `root` is the UI's URL, with a slash at its end. */
  static async open(browser: Browser, root: string): Promise<UiPage> {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(pageMs);
    const ui = new UiPage(page, root);
    ui.#watch();
    return ui;
  }

  #watch(): void {
    const { page, wrong } = this;
    const mount = new URL(this.#root).pathname;
    page.on('pageerror', (error) => wrong.push(`page error: ${error.message}`));
    page.on('console', (message) => {
      // The browser asks the root for an icon of pages that name none.
      const isOurs = !message.location().url.endsWith('/favicon.ico');
      if (message.type() === 'error' && isOurs) wrong.push(`console: ${message.text()}`);
    });
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText;
      // What the page itself gives up when it is left.
      if (why !== 'net::ERR_ABORTED' || request.url().includes('/static/')) wrong.push(`${request.url()}: ${why}`);
    });
    page.on('response', (response) => {
      const { pathname, protocol } = new URL(response.url());
      if (protocol === 'blob:') return; // a worker that the page makes of its own text
      this.asked.push(`${response.request().method()} ${pathname}`);
      if (response.status() >= 400) wrong.push(`${response.status()} ${response.url()}`);
      if (!pathname.startsWith(mount)) wrong.push(`beside the mount: ${pathname}`);
    });
  }

  /** Goes to a path below the mount. */
  async go(path: string): Promise<void> {
    await this.page.goto(this.#root + path);
  }

  /** Resolves when the text is on the page. */
  async see(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  async click(text: string): Promise<void> {
    await this.page.getByText(text).first().click();
  }

  /** Takes a picture under `name` where one is wanted, and leaves. */
  async close(name: string): Promise<void> {
    if (pictures !== undefined) {
      const file = `${name.replaceAll(/\W+/g, '-').slice(0, 80)}.png`;
      await this.page.screenshot({ path: join(pictures, file) });
    }
    await this.page.close();
  }
}
