// What a newcomer has and does: the code blocks of a page, the commands in its text, and a shell that knows nothing of the checkout
// that runs the test.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CodeBlock {
  /** The word behind the fence: sh, yaml; empty without one. */
  readonly language: string;
  readonly text: string;
}

/** The fenced code blocks of a Markdown page, in order. */
export function codeBlocks(page: string): CodeBlock[] {
  const found = page.matchAll(/^ *```(\w*)\n([^]*?)^ *```$/gm);
  return Array.from(found, ([, language = '', text = '']) => ({ language, text }));
}

const PROGRAM =
  /^(?:npm|npx|node|node_modules\/\S+|git|curl|grpcurl|jaeger|vtagent|docker|helm|deploy\/\S+\.sh|deploy\/tracelith|tracelith) ?/;

/** The commands that a page names in its sentences and tables, in order; not those that begin a line of a code block, too. */
export function commandsInText(page: string): string[] {
  const lines = codeBlocks(page).flatMap(({ text }) =>
    text.split('\n').map((line) => line.replace(/ +#.*$/, '').trim()),
  );
  const text = page.replaceAll(/^ *```[^]*?^ *```$/gm, '');
  const spans = Array.from(text.matchAll(/`([^`\n]+)`/g), ([, span = '']) => span);
  return [...new Set(spans.filter((span) => PROGRAM.test(span) && !lines.includes(span)))];
}

/** How the walk follows a command that README names in its text. */
export type Way =
  /** To its end, with `more` behind it, until which it must have printed `prints`. It needs the program `needs`. */
  | { readonly kind: 'whole'; readonly prints: RegExp; readonly more?: string; readonly needs?: string }
  /** Until it has printed `until`; then Ctrl-C ends it, and the process `pid` that it has told of. */
  | { readonly kind: 'until'; readonly until: RegExp }
  /** A second node, which runs to the end of the walk. */
  | { readonly kind: 'node' }
  /** It takes minutes, or programs that are seldom here: the file `by` runs what the command runs, `file`. */
  | { readonly kind: 'elsewhere'; readonly by: string; readonly file: string };

/** Every command in README's text. SECOND stands for the second node's address. */
export const WAYS: Readonly<Record<string, Way>> = {
  'npm start -- -storageDataPath=/var/lib/tracelith -retentionPeriod=30d': { kind: 'node' },
  'npm start -- -help': { kind: 'whole', prints: /-storageDataPath/ },
  'npm run demo': { kind: 'until', until: /Ctrl-C stops it/ },
  'npm run demo:cluster': {
    kind: 'elsewhere',
    by: 'test/system/demo-cluster.test.ts',
    file: 'native-bench/demo-cluster.ts',
  },
  'npm run demo:log': { kind: 'elsewhere', by: 'test/system/demo-log.test.ts', file: 'native-bench/demo-log.ts' },
  'jaeger --config deploy/jaeger/config-tracelith.yaml': {
    kind: 'elsewhere',
    by: 'test/deploy/jaeger.test.ts',
    file: 'deploy/jaeger/config-tracelith.yaml',
  },
  'grpcurl -plaintext 127.0.0.1:17271 list': { kind: 'whole', prints: /^jaeger\.storage\.v2\./m, needs: 'grpcurl' },
  'npm run test:crash': { kind: 'elsewhere', by: 'test/vitest.config.ts', file: 'test/crash' },
  'tracelith sync': {
    kind: 'whole',
    more: '--from http://127.0.0.1:10428 --to http://SECOND',
    prints: / 1 traces copied/,
  },
  'deploy/backup/backup.sh --to DIR': {
    kind: 'whole',
    more: '--url http://127.0.0.1:10428',
    prints: /; verified\n[^]*done: days in/,
    needs: 'rsync',
  },
  'deploy/backup/restore.sh': {
    kind: 'whole',
    more: '--from DIR --data /var/lib/tracelith --all --replace --url http://SECOND',
    prints: /done: days restored: 1/,
    needs: 'rsync',
  },
  'deploy/tracelith verify DIR': { kind: 'whole', prints: /intact/, needs: 'rsync' },
  'npm run soak -- --minutes 20': { kind: 'until', until: /^soak: the node is process (?<pid>\d+)$/m },
  'npm run bench -- density': { kind: 'whole', more: '--spans 20000', prints: /all files, after flush and merge/ },
  'npm run bench -- search': { kind: 'whole', more: '--spans 20000 --seconds 1', prints: /p50/ },
};

/**
 * Assignments for `env -i`: what a fresh terminal on this machine has. Not npm's and vitest's variables, nor the Node of this
 * checkout in PATH. npm takes from its cache what is there, and curl fails when it is refused, as a person would notice.
 * `folder` gets curl's settings.
 */
export function newcomerEnvironment(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '.curlrc'), 'fail-with-body\nsilent\nshow-error\n');
  const path = (process.env['PATH'] ?? '').split(':').filter((entry) => !entry.includes('node_modules'));
  const kept = ['HOME', 'USER', 'LANG', 'TMPDIR', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS'];
  const values = kept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
  // npm names its own settings npm_config_…, and passes those of its user on under the same names.
  const settings = ['npm_config_cache', 'npm_config_registry', 'npm_config_cafile'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined || value === '' ? [] : [`${name}=${value}`];
  });
  return [...values, ...settings, `PATH=${path.join(':')}`, `CURL_HOME=${folder}`, 'npm_config_prefer_offline=true'];
}
