// Builds the first page from src/ui/ into build/ui/, when src/ui/ or the lock file has changed since the last build. Run by
// deploy/setup.mjs before `npm start` and `npm test`; `node deploy/build-ui.mjs --serve` rebuilds and reloads while one edits,
// with the API of a node on 127.0.0.1:10428.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'src', 'ui');
const out = join(root, 'build', 'ui');
const stamp = join(out, '.built-from');

const config = {
  configFile: false,
  root: source,
  // Relative, so that the page works below any prefix; its files are served as ui/NAME.
  base: './',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: out,
    emptyOutDir: true,
    assetsDir: 'ui',
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
  },
  server: { proxy: { '/ui/status.json': 'http://127.0.0.1:10428', '/api': 'http://127.0.0.1:10428' } },
};

if (process.argv.includes('--serve')) {
  const { createServer } = await import('vite');
  const server = await createServer(config);
  await server.listen();
  server.printUrls();
} else {
  const hash = hashOfSources();
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
    const { build } = await import('vite');
    await build(config);
    writeFileSync(stamp, hash);
  }
}

function hashOfSources() {
  const hash = createHash('sha256');
  const names = readdirSync(source).sort();
  for (const path of [
    ...names.map((name) => join(source, name)),
    join(root, 'package-lock.json'),
    fileURLToPath(import.meta.url),
  ]) {
    hash
      .update(`${path.slice(root.length)}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  return hash.digest('hex');
}
