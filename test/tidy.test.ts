// The house, checked by machine: layers, names, bounds, and that the documents list what the source has.
// Each test collects every offence and shows them together; an exception stands in this file with its reason.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { status as grpcStatus } from '@grpc/grpc-js';
import { FAILURE_STATUS } from '../src/api/edge/status.ts';
import { STORE_ERROR_CODES, type StoreErrorCode } from '../src/base/errors.ts';
import { flagTable } from '../src/config.ts';
import { NOT_TESTED, TESTS_OF_SEVERAL } from './support/tested-files.ts';
import { blank, findCycle, listFiles, readSource, root, type SourceFile } from './support/source-tree.ts';

const sources = [...listFiles('src', '.ts'), ...listFiles('src', '.tsx')].map(readSource);

/** Bottom to top. `api` and `tools` share a rank and never import each other. */
const LAYERS = [
  'base',
  'flags',
  'disk',
  'quarantine',
  'bytes',
  'codec',
  'trace',
  'otlp',
  'block',
  'part',
  'archive',
  'index',
  'partition',
  'storage',
  'query',
  'ingest-log',
  'cluster',
  'ui',
  'deletion',
  'redaction',
  'api',
];
/** The rooms of `api`, bottom to top: a file imports from its own room or one below. */
const API_ROOMS = [
  'go',
  'metrics',
  'edge',
  'access',
  'jaeger',
  'http',
  'grpc',
  'otlp-in',
  'operations',
  'home',
  'jaeger-http',
  'jaeger-grpc',
  'cluster-grpc',
  'listeners',
];
const PURE_LAYERS = ['bytes', 'codec', 'trace', 'otlp', 'block'];

/** Tests and their helpers that read a clock, and what for: never to compare a duration with a bound. */
const CLOCKS_IN_TESTS: Readonly<Record<string, string>> = {
  'test/support/log-faults.ts': 'shows how long writes took to resume, and asserts none of it',
  'test/api/http/json-reply.test.ts': 'keeps the thread busy for a while',
  'test/query/cancel.test.ts': 'a client leaves when a tenth of its search is done',
  'test/support/kill-scenario.ts': 'prints how long starts took',
  'test/support/node-process.ts': 'gives up waiting for a process',
  'test/system/backup.test.ts': 'gives up waiting',
  'test/system/disk-full.test.ts': 'gives up waiting',
};

function layerOf(path: string): string {
  const [, folder = '', file] = path.split('/');
  return file === undefined ? folder : folder.replace(/^tools$/, 'api');
}

/** Offending lines of `file` as path:line: text; comments and strings do not offend. */
function offences(file: SourceFile, pattern: RegExp): string[] {
  const lines = file.text.split('\n');
  return file.code
    .split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}: ${lines[index]?.trim()}`] : []));
}

function offencesExcept(pattern: RegExp, allowed: readonly string[]): string[] {
  return sources.filter((file) => !allowed.includes(file.path)).flatMap((file) => offences(file, pattern));
}

describe('the layers', () => {
  test('every folder of src is one of them', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((entry) => entry.name).filter((name) => ![...LAYERS, 'tools'].includes(name))).toEqual([]);
    const deep = sources.filter((file) => file.path.split('/').length > 3 && roomOf(file.path) === undefined);
    expect(
      deep.map((file) => file.path),
      'folders are flat, but for the rooms of api',
    ).toEqual([]);
    expect(sources.map((file) => file.path).filter((path) => /^src\/api\/[^/]+$/.test(path))).toEqual([]);
    expect(sources.map((file) => file.path).filter((path) => path.split('/').length === 2)).toEqual(
      ['src/config.ts', 'src/main.ts'].filter((path) => existsSync(join(root, path))),
    );
  });

  test('imports only point down; only main.ts sees everything', () => {
    const wrong: string[] = [];
    for (const { path, imports } of sources.filter((file) => file.path !== 'src/main.ts')) {
      for (const target of imports) if (!mayImport(path, target)) wrong.push(`${path} must not import ${target}`);
    }
    expect(wrong).toEqual([]);
  });

  test('every import names a file that is there', () => {
    const wrong = sources.flatMap((file) =>
      file.imports.filter((target) => !existsSync(join(root, target))).map((target) => `${file.path}: ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  // config.ts reads the files that flags name, main.ts its package.json.
  test('the pure ones touch neither disk nor network, and node:fs is for disk/ alone', () => {
    const wrong: string[] = [];
    for (const { path, packages } of sources) {
      const isPure = PURE_LAYERS.includes(layerOf(path));
      const io = packages.filter(
        (name) =>
          /^(node:)?fs(\/|$)/.test(name) ||
          (isPure && /^(node:)?(net|http|http2|https|dns|child_process)$|^lmdb$/.test(name)),
      );
      if (io.length > 0 && layerOf(path) !== 'disk' && !['src/config.ts', 'src/main.ts'].includes(path))
        wrong.push(`${path} imports ${io.join(', ')}`);
    }
    expect(wrong).toEqual([]);
  });

  test('no file imports itself by a detour', () => {
    expect(findCycle(new Map(sources.map((file) => [file.path, file.imports])))).toBeUndefined();
  });
});

/** The room of a file of api. */
function roomOf(path: string): string | undefined {
  const room = /^src\/api\/([^/]+)\/[^/]+$/.exec(path)?.[1];
  return room !== undefined && API_ROOMS.includes(room) ? room : undefined;
}

/** Whether both are files of api, and `target` of a room above. */
function isRoomAbove(path: string, target: string): boolean {
  const [room, targetRoom] = [roomOf(path), roomOf(target)];
  return room !== undefined && targetRoom !== undefined && API_ROOMS.indexOf(targetRoom) > API_ROOMS.indexOf(room);
}

function mayImport(path: string, target: string): boolean {
  if (isRoomAbove(path, target)) return false;
  if (!target.startsWith('src/') || target === 'src/main.ts') return false;
  // config.ts knows no layer but base and flags; the layers below api get what they need as arguments.
  if (path === 'src/config.ts') return ['base', 'flags'].includes(layerOf(target));
  // What runs in a browser knows nothing else, and the server knows only the messages between them.
  const [layer, targetLayer] = [layerOf(path), layerOf(target)];
  if (layer === 'ui' && targetLayer !== 'ui') return false;
  if (layer !== targetLayer && ['ui', 'flags'].includes(targetLayer)) return target === 'src/ui/home-status.ts';
  if (target === 'src/config.ts') return path.startsWith('src/api/');
  const [folder, targetFolder] = [path, target].map((file) => file.split('/')[1]);
  if (folder !== targetFolder && layer === targetLayer) return false; // api and tools
  if (PURE_LAYERS.includes(layer) && ['disk', 'quarantine'].includes(targetLayer)) return false;
  return LAYERS.indexOf(targetLayer) <= LAYERS.indexOf(layer);
}

describe('names and sizes', () => {
  test('a file is named by its noun, in kebab-case', () => {
    const paths = [
      ...sources.map((file) => file.path),
      ...listFiles('test', '.ts'),
      ...listFiles('native-bench', '.ts'),
    ];
    const vague =
      /^(index|utils?|helpers?|types|constants|common|shared|misc)\.(test\.)?ts$|(util|helper|manager)s?\.ts$/i;
    expect(paths.filter((path) => vague.test(basename(path)))).toEqual([]);
    expect(paths.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config))?\.tsx?$/.test(basename(path)))).toEqual(
      [],
    );
    expect(paths.filter((path) => /(^|\/)(utils?|helpers?|common|shared|lib)\//.test(path))).toEqual([]);
  });

  test('a file has at most 500 lines, and says at its top what it is', () => {
    const long = sources.filter((file) => file.text.split('\n').length > 501).map((file) => file.path);
    const silent = sources.filter((file) => !/^\/[/*]/.test(file.text)).map((file) => file.path);
    expect({ long, silent }).toEqual({ long: [], silent: [] });
  });

  test('the top level is the fixed set', () => {
    const fixed = [
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'deploy',
      'docs',
      'fixtures',
      'native-bench',
      'package-lock.json',
      'package.json',
    ];
    const ignored = readFileSync(join(root, '.gitignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map(toPattern);
    const present = readdirSync(root).filter(
      (name) => !name.startsWith('.') && !ignored.some((pattern) => pattern.test(name)),
    );
    expect(present.sort()).toEqual([...fixed, 'src', 'test', 'tsconfig.json'].sort());
  });
});

/** The name a line of .gitignore stands for. Only `*` is used there. */
function toPattern(line: string): RegExp {
  return new RegExp(
    `^${line
      .replace(/^\/|\/$/g, '')
      .replaceAll('.', '\\.')
      .replaceAll('*', '.*')}$`,
  );
}

describe('the source', () => {
  test.each<[string, RegExp, string[]]>([
    ['reads arguments and environment only in config.ts', /\bprocess\.(env|argv)\b/, ['src/config.ts']],
    ['prints nothing: there is the log', /\bconsole\b/, ['src/main.ts']],
    [
      'writes to stderr and stdout only in log.ts',
      /\bprocess\.(stderr|stdout)\b/,
      ['src/base/logger.ts', 'src/main.ts'],
    ],
    ['ends the process only in main.ts', /\bprocess\.(exit|abort)\b/, ['src/main.ts']],
    // The engine kills a process whose main thread hangs.
    ['kills it only there and in the engine', /\bprocess\.kill\b/, ['src/main.ts', 'src/storage/engine-worker.ts']],
    ['exports by name', /^\s*export default\b|\bas default\b/, []],
    ['has no `any`', /\bas any\b|:\s*any\b(?!\.)|[<,|&]\s*any\s*[>,|&[]|\bany\[\]/, []],
    ['switches no check off', /@ts-(ignore|nocheck|expect-error)/, []],
  ])('%s', (_claim, pattern, allowed) => {
    expect(offencesExcept(pattern, allowed)).toEqual([]);
  });

  test('needs nothing from outside the repository', () => {
    const outside = /\.\.\/shared|\/work\//;
    const wrong = sources.filter((file) => outside.test(blank(file.text, false)));
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  test('has no list of things to do', () => {
    const wrong = sources.filter((file) => /\b(TODO|FIXME|XXX|HACK)\b/.test(file.text)).map((file) => file.path);
    expect(wrong).toEqual([]);
  });
});

describe('the tests', () => {
  const paths = sources.map((file) => file.path);
  const own = (path: string): string => path.replace(/^src\//, 'test/').replace(/\.tsx?$/, '.test.ts');
  const hasOwn = (path: string): boolean => existsSync(join(root, own(path)));
  const covered = Object.values(TESTS_OF_SEVERAL).flat();

  test('every source file has one, or a reason', () => {
    const listed = [...covered, ...Object.keys(NOT_TESTED)];
    expect(
      paths.filter((path) => !hasOwn(path) && !listed.includes(path)),
      'no test and no reason',
    ).toEqual([]);
    expect(Object.keys(NOT_TESTED).filter(hasOwn), 'a reason where there is a test').toEqual([]);
    expect(
      covered.filter((path) => !paths.includes(path)),
      'listed and gone',
    ).toEqual([]);
  });

  test('a test of several files reaches every one of them', () => {
    const wrong = Object.entries(TESTS_OF_SEVERAL).flatMap(([path, files]) => {
      if (!existsSync(join(root, path))) return [path];
      const reached = reachable(path);
      return files.filter((file) => !reached.has(file)).map((file) => `${path} does not reach ${file}`);
    });
    expect(wrong).toEqual([]);
  });

  test('none asserts how long something takes: machines are busy, and benches measure', () => {
    const files = listFiles('test', '.ts').map(readSource);
    const clocks = files.filter((file) => offences(file, /\b(performance\.now|hrtime|cpuUsage)\b/).length > 0);
    const reasoned = Object.keys(CLOCKS_IN_TESTS);
    expect(
      clocks.map((file) => file.path).filter((path) => !reasoned.includes(path)),
      'reads a clock',
    ).toEqual([]);
    expect(
      reasoned.filter((path) => !clocks.some((file) => file.path === path)),
      'a reason and no clock',
    ).toEqual([]);
    const told = /expect\(.*\b(took|elapsed|waited|recovered\w*)(Ms|Seconds)\b.*\.toBe(Less|Greater)/;
    expect(files.flatMap((file) => offences(file, told))).toEqual([]);
  });

  test('each lies where its source file does', () => {
    const folders = [...LAYERS, 'tools'].map((layer) => `test/${layer}/`);
    const tests = listFiles('test', '.test.ts').filter((path) => folders.some((folder) => path.startsWith(folder)));
    const owned = new Set(paths.map(own));
    expect(tests.filter((path) => !owned.has(path) && TESTS_OF_SEVERAL[path] === undefined)).toEqual([]);
  });
});

/** Each file is read once, however many tests reach it. */
const importsByFile = new Map<string, readonly string[]>();

function importsOf(file: string): readonly string[] {
  const known = importsByFile.get(file);
  if (known !== undefined) return known;
  const imports = existsSync(join(root, file)) ? readSource(file).imports : [];
  importsByFile.set(file, imports);
  return imports;
}

/** Every file of the repository that `path` imports, directly or through others. */
function reachable(path: string): Set<string> {
  const found = new Set<string>([path]);
  for (const file of found) for (const target of importsOf(file)) found.add(target);
  return found;
}

/** The cells of the table rows of a page whose first cell is code, backticks of the first taken away. */
function tableRows(page: string): string[][] {
  const lines = readFileSync(join(root, page), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return lines.map((line) => {
    const cells = line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|'));
    return [cells[0]?.replaceAll('`', '') ?? '', ...cells.slice(1)];
  });
}

describe('the documents', () => {
  test('CONFIG.md lists every flag as the program knows it', () => {
    const expected = flagTable.map((row) => {
      return [
        `-${row.name}`,
        row.default === '' ? '(empty)' : row.default,
        row.unit,
        row.meaning,
        `\`${row.example}\``,
      ];
    });
    expect(tableRows('docs/CONFIG.md')).toEqual(expected);
  });

  test('ERRORS.md lists every code with the status that is answered', () => {
    const starting = ['CONFIG', 'LOCKED'];
    const rows = tableRows('docs/ERRORS.md');
    expect(rows.map(([code]) => code)).toEqual([...STORE_ERROR_CODES]);
    for (const [code = '', http, grpc, ...words] of rows.filter(([name = '']) => !starting.includes(name))) {
      const failure = FAILURE_STATUS[code as StoreErrorCode];
      const retry = failure.retrySeconds === undefined ? '' : ', retry';
      expect([code, http, grpc]).toEqual([code, `${failure.http}${retry}`, `${grpcStatus[failure.grpc]}${retry}`]);
      expect(
        words.filter((cell) => /^[A-Z].*\.$/.test(cell)),
        code,
      ).toHaveLength(2);
    }
  });

  test('every relative link leads to a file, and to a heading of it', () => {
    const pages = [
      ...listFiles('docs', '.md'),
      ...listFiles('native-bench', '.md'),
      ...listFiles('deploy', '.md'),
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
    ];
    const broken: string[] = [];
    for (const page of pages.filter((path) => existsSync(join(root, path)))) {
      for (const link of relativeLinks(page)) if (!leadsSomewhere(page, link)) broken.push(`${page}: ${link}`);
    }
    expect(broken).toEqual([]);
  });
});

/** Link targets of a page that name no other host; what stands in code blocks is no link. */
function relativeLinks(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replace(/```[^]*?```|`[^`\n]*`/g, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)/gm)].map((match) => match[1] ?? match[2] ?? '');
  return links.filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(root, page) : join(root, dirname(page), decodeURIComponent(path));
  if (!target.startsWith(root) || !existsSync(target)) return false;
  if (anchor === undefined || !target.endsWith('.md')) return true;
  const headings = readFileSync(target, 'utf8').match(/^#+ .*$/gm) ?? [];
  return headings.some((heading) => slug(heading.replace(/^#+ /, '')) === anchor);
}

/** GitHub's anchor of a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

interface PackageFile {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}

describe('the package', () => {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(root, name), 'utf8'));
  const manifest = read('package.json') as PackageFile;
  const lock = read('package-lock.json') as LockFile;

  test('has at most 15 scripts, and those that run a server hand it the signals', () => {
    const called = Object.keys(manifest.scripts).filter((name) => !/^(pre|post)/.test(name)); // npm calls the others
    expect(called.length).toBeLessThanOrEqual(15);
    // Without exec a shell stands between npm and the server, which then outlives SIGTERM (npm exits, it does not).
    for (const name of ['start', 'demo', 'demo:cluster', 'demo:log']) expect(manifest.scripts[name]).toMatch(/^exec /);
  });

  test('names exact versions, the lock file the same ones', () => {
    const named = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    for (const [name, version] of named.filter(([, range]) => range !== 'file:deploy/node')) {
      const locked = lock.packages[`node_modules/${name}`]?.version;
      expect(locked === version || locked?.startsWith(`${version}.`), `${name} ${version}, locked ${locked}`).toBe(
        true,
      );
    }
  });

  test('can be installed by npm ci: every optional package of another platform is in the lock file too', () => {
    const missing: string[] = [];
    for (const [path, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
      for (const name of Object.keys(optionalDependencies)) {
        const isLocked = [`${path}/node_modules/${name}`, `node_modules/${name}`].some(
          (place) => lock.packages[place] !== undefined,
        );
        if (!isLocked) missing.push(`${path === '' ? 'package.json' : path} → ${name}`);
      }
    }
    expect(missing, 'npm ci refuses a lock file like this; take a version whose packages all exist').toEqual([]);
  });
});
