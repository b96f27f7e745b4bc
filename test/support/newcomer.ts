// What a newcomer has and does: the code blocks of a page, and a shell that knows nothing of the checkout that runs the test.
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
