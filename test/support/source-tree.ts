// The source files as text, for test/tidy.test.ts: what each imports, and its code without comments and string contents.
// A scanner of its own, because TypeScript 7 has no compiler API; it knows strings, templates, comments and regexes.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface SourceFile {
  /** From the root of the repository, as src/base/logger.ts. */
  readonly path: string;
  readonly text: string;
  /** `text` with comments and the insides of strings blanked; lines keep their numbers. */
  readonly code: string;
  /** Files of the repository it names: imports, exports from, and worker entry files given as `new URL(…)`. */
  readonly imports: readonly string[];
  /** Other modules: packages, node:…. */
  readonly packages: readonly string[];
}

/** Paths of all files below `folder` (from the root), sorted, whose names end in `suffix`. A missing folder has none. */
export function listFiles(folder: string, suffix: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name.endsWith(suffix))
      found.push(join(entry.parentPath, entry.name).slice(root.length + 1));
  }
  return found.sort();
}

export function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  return { path, text, code: blank(text, true), ...readImports(path, blank(text, false)) };
}

function readImports(path: string, uncommented: string): { imports: string[]; packages: string[] } {
  const imports: string[] = [];
  const packages: string[] = [];
  for (const [, target = ''] of uncommented.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"\n]+)['"]/g)) {
    if (target.startsWith('.')) imports.push(normalize(join(dirname(path), target)));
    else packages.push(target);
  }
  for (const [, target = ''] of uncommented.matchAll(/new URL\(\s*['"`](\.[^'"`\n]+)['"`]\s*,\s*import\.meta\.url/g)) {
    // A worker's entry may be written with this file's own extension, so that it also works when built.
    const named = target.replace('${extname(import.meta.filename)}', '.ts');
    if (named.endsWith('.ts')) imports.push(normalize(join(dirname(path), named)));
  }
  return { imports, packages };
}

/** Blanks comments, and string contents too when `strings` is set. Every other character stays where it is. */
export function blank(text: string, strings: boolean): string {
  let out = '';
  /** Brace depths at which a template's `${` was opened. */
  const templates: number[] = [];
  let depth = 0;
  for (let at = 0; at < text.length;) {
    const closesTemplate = text[at] === '}' && templates.at(-1) === depth;
    const end = closesTemplate ? endOfTemplate(text, at + 1) : endOfToken(text, at, out);
    const token = text.slice(at, end);
    const kind = closesTemplate ? 'string' : kindOf(token);
    if (closesTemplate) templates.pop();
    if ((closesTemplate || token.startsWith('`')) && token.endsWith('${')) templates.push(depth);
    if (token === '{') depth++;
    if (token === '}') depth--;
    out += kind === 'comment' || (kind === 'string' && strings) ? token.replace(/[^\n]/g, ' ') : token;
    at = end;
  }
  return out;
}

function kindOf(token: string): 'comment' | 'string' | 'code' {
  if (token.length < 2) return 'code';
  if (/^\/[/*]/.test(token)) return 'comment';
  return /^['"`/]/.test(token) ? 'string' : 'code';
}

/** End of the comment, string, template or regular expression at `at`, or of the one character there. */
function endOfToken(text: string, at: number, before: string): number {
  const two = text.slice(at, at + 2);
  if (two === '//') return orEnd(text, text.indexOf('\n', at));
  if (two === '/*') return orEnd(text, text.indexOf('*/', at + 2), 2);
  const char = text[at];
  if (char === "'" || char === '"')
    return at + (new RegExp(`^${char}(?:\\\\[^]|[^${char}\\\\\\n])*${char}?`).exec(text.slice(at))?.[0].length ?? 1);
  if (char === '`') return endOfTemplate(text, at + 1);
  if (char === '/' && /(^|[(,=:[!&|?{};~+*%<>-]|\b(return|typeof|case|in|of))\s*$/.test(before.slice(-200))) {
    return at + (/^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/.exec(text.slice(at))?.[0].length ?? 1);
  }
  return at + 1;
}

/** Just behind the closing backtick, or behind `${`. */
function endOfTemplate(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`') return at + 1;
    else if (text[at] === '$' && text[at + 1] === '{') return at + 2;
  }
  return text.length;
}

function orEnd(text: string, found: number, length = 0): number {
  return found < 0 ? text.length : found + length;
}

/** One cycle among `edges` as the list of its members, or undefined when there is none. */
export function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    if (path.includes(node)) return path.slice(path.indexOf(node));
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
