// Runs before `npm pack`: compiles src/ into dist/, because Node strips no types below node_modules, builds the first page, and makes
// one file of what the node uses of OpenTelemetry's SDK.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

if (!existsSync(`${root}node_modules/.bin/tsc`)) throw new Error(`${root}: there is no compiler: run npm ci first`);
// Whatever the caller's is: another one builds a page for debugging, with the paths of this machine in it.
process.env.NODE_ENV = 'production';
await import('../build-ui.mjs');
rmSync(`${root}dist`, { recursive: true, force: true });
const { status, error } = spawnSync('tsc', ['-p', 'deploy/package'], { cwd: root, stdio: ['ignore', 2, 2] });
if (status !== 0)
  throw new Error(`tsc -p deploy/package: ${error?.message ?? `exit ${status}`}; see its messages above`);

// As packages the SDK would be 14 MB more, most of it names of attributes that nobody uses.
const { build } = await import('vite');
const folder = 'dist/api/edge';
await build({
  configFile: false,
  root,
  logLevel: 'warn',
  ssr: { noExternal: true },
  build: {
    ssr: `${folder}/otel-sdk.js`,
    outDir: folder,
    emptyOutDir: false,
    target: 'node24',
    rolldownOptions: {
      output: {
        entryFileNames: 'otel-sdk.js',
        codeSplitting: false,
        banner: '// Parts of @opentelemetry packages, Copyright The OpenTelemetry Authors, licensed under Apache-2.0.',
      },
    },
  },
});
