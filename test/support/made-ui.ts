// A folder that looks like an unpacked build of Jaeger UI: an index.html with the marks a real one has (contract/jaeger.md
// §2.8), and a script with a hashed name.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const INDEX = `<!doctype html>
<base href="/" data-inject-target="BASE_URL" />
<script>
  // JAEGER_CONFIG_JS
  // the line after it
  const JAEGER_CONFIG = DEFAULT_CONFIG;
  const JAEGER_STORAGE_CAPABILITIES = DEFAULT_STORAGE_CAPABILITIES;
  const JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;
  const JAEGER_VERSION = DEFAULT_VERSION;
</script>
<script type="module" src="./static/index-9SkmOgUD.js"></script>
`;

export const MADE_UI_SCRIPT = './static/index-9SkmOgUD.js';

export class MadeUi implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'tracelith-ui-'));

  constructor() {
    mkdirSync(join(this.dir, 'static'));
    writeFileSync(join(this.dir, 'index.html'), INDEX);
    writeFileSync(join(this.dir, MADE_UI_SCRIPT), 'let x = 1;\n');
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

/** What a page was told: the object put in place of the mark `name`. Throws when it is not there. */
export function injected(html: string, name: string): unknown {
  const [, json] = new RegExp(`${name} = (\\{.*\\});`).exec(html) ?? [];
  if (json === undefined) throw new Error(`${name} is not in the page`);
  return JSON.parse(json);
}
