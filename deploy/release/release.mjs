// Makes a release, in two steps with a commit between them:
//   node deploy/release/release.mjs prepare 0.2.0     sets the version everywhere and dates the changelog
//   node deploy/release/release.mjs build             makes build/release/: package, bundles with Node, charts, SBOM, notes, SHA256SUMS
// The same commit gives the same bytes, whenever and wherever it is built: every time in an archive is the commit's, every
// list is sorted, and versions come from the lock file. It publishes nothing.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const CHARTS = ['tracelith-single', 'tracelith-cluster'];
const PLATFORMS = ['linux-x64', 'linux-arm64'];

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: join(root, 'build/release') },
      platforms: { type: 'string', default: PLATFORMS.join(',') },
    },
  });
  const [step, version] = positionals;
  if (step === 'prepare' && version !== undefined) prepare(version);
  else if (step === 'build')
    build(
      values.out,
      values.platforms.split(',').filter((name) => name !== ''),
    );
  else throw new Error('say `prepare VERSION` or `build [--out FOLDER] [--platforms linux-x64,linux-arm64]`');
}

/** Edits the files that name the version. Throws when the changelog has no section for it. */
function prepare(version) {
  if (!/^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/.test(version))
    throw new Error(`${version}: expected a version as 1.2.3 or 1.2.3-rc.1`);
  const from = readJson('package.json').version;
  const today = new Date().toISOString().slice(0, 10);
  edit('CHANGELOG.md', `## ${version} (unreleased)`, `## ${version} (${today})`);
  if (from !== version) {
    run('npm', 'version', version, '--no-git-tag-version', '--allow-same-version');
    for (const chart of CHARTS) {
      edit(`deploy/helm/${chart}/Chart.yaml`, `\nversion: ${from}\n`, `\nversion: ${version}\n`);
      edit(`deploy/helm/${chart}/Chart.yaml`, `\nappVersion: ${from}\n`, `\nappVersion: ${version}\n`);
    }
    edit('deploy/compose/compose.yaml', `image: tracelith:${from}`, `image: tracelith:${version}`);
    for (const page of ['docs/operations/install.md']) edit(page, `tracelith-${from}`, `tracelith-${version}`);
  }
  console.log(
    `version ${version}: render deploy/kubernetes/ (deploy/kubernetes/render.sh), run the tests, commit, then: node deploy/release/release.mjs build`,
  );
}

/** Replaces every occurrence of `before`. Throws when there is none. */
function edit(file, before, after) {
  const text = readFileSync(join(root, file), 'utf8');
  if (!text.includes(before)) throw new Error(`${file}: has no "${before.trim()}"`);
  writeFileSync(join(root, file), text.replaceAll(before, after));
}

function build(out, platforms) {
  const { version } = readJson('package.json');
  const time = commitTime();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const [{ filename }] = JSON.parse(run('npm', 'pack', '--json', '--loglevel=error', '--pack-destination', out));
  for (const platform of platforms) bundle({ out, platform, version, time, tarball: join(out, filename) });
  for (const chart of CHARTS) {
    const name = `${chart}-${version}.chart.tgz`;
    archive(join(out, name), { folder: join(root, 'deploy/helm'), member: chart, time });
  }
  writeFileSync(
    join(out, `tracelith-${version}.cdx.json`),
    `${JSON.stringify(billOfMaterials(version, time), null, 2)}\n`,
  );
  writeFileSync(join(out, 'RELEASE_NOTES.md'), releaseNotes(version));
  const sums = readdirSync(out)
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(out, name)))
          .digest('hex')}  ${name}\n`,
    );
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
  console.log(`${out}\n${sums.join('')}`.trimEnd());
}

/** Seconds. SOURCE_DATE_EPOCH where there is no repository, as in an unpacked source archive. */
function commitTime() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) return Number(given);
  if (run('git', 'status', '--porcelain') !== '')
    throw new Error('there are changes that are not committed; a release is made from a commit');
  return Number(run('git', 'log', '-1', '--format=%ct'));
}

/** The package with the dependencies that the lock file names and a Node of its own: unpack it and run bin/tracelith. */
function bundle({ out, platform, version, time, tarball }) {
  const folder = join(out, '.bundle');
  const top = `tracelith-${version}-${platform}`;
  const place = join(folder, top);
  for (const name of ['bin', 'libexec', 'lib']) mkdirSync(join(place, name), { recursive: true });
  run('deploy/package/install.sh', tarball, join(place, 'lib'), platform);
  cpSync(nodeOf(platform, folder), join(place, 'libexec/node'));
  cpSync(join(root, 'deploy/release/bundle-launcher.sh'), join(place, 'bin/tracelith'));
  cpSync(join(root, 'deploy/systemd'), join(place, 'share/systemd'), { recursive: true });
  archive(join(out, `${top}.tar.gz`), { folder, member: top, time });
  rmSync(folder, { recursive: true });
}

/** The Node that the lock file names, for `platform`: from node_modules, or by npm when this machine is of another one. */
function nodeOf(platform, folder) {
  const installed = join(root, `node_modules/node-${platform}/bin/node`);
  if (existsSync(installed)) return installed;
  const { version } = readJson('package-lock.json').packages[`node_modules/node-${platform}`];
  const place = join(folder, 'node');
  run(
    'npm',
    'install',
    '--force',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-save',
    '--loglevel=error',
    '--prefix',
    place,
    `node-${platform}@${version}`,
  );
  return join(place, `node_modules/node-${platform}/bin/node`);
}

/** A tar whose bytes depend on nothing but names, contents and `time`. */
function archive(file, { folder, member, time }) {
  const plain = file.replace(/\.t?gz$|\.tar\.gz$/, '.tar');
  const fixed = [
    '--sort=name',
    `--mtime=@${time}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rw,go+r-w,a+X',
    '--format=ustar',
  ];
  run('tar', ...fixed, '-C', folder, '-cf', plain, member);
  run('gzip', '-9', '--no-name', plain);
  renameSync(`${plain}.gz`, file);
}

/**
 * CycloneDX of the production dependencies, on every platform. npm's random serial number and its clock are replaced by the
 * commit's. `npm sbom --omit=dev` leaves out what a development dependency needs too, so npm gets a lock file without those.
 */
function billOfMaterials(version, time) {
  const folder = mkdtempSync(join(tmpdir(), 'tracelith-sbom-'));
  const place = join(folder, 'tracelith'); // npm takes the folder's name for the component's
  mkdirSync(place);
  const { devDependencies: _, ...manifest } = readJson('package.json');
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(place, 'package-lock.json'), JSON.stringify(productionLock()));
  const bill = JSON.parse(run('npm', 'sbom', '--sbom-format=cyclonedx', '--package-lock-only', '--prefix', place));
  rmSync(folder, { recursive: true });
  const digest = createHash('sha256').update(`tracelith ${version} ${time}`).digest('hex');
  bill.serialNumber = `urn:uuid:${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
  bill.metadata.timestamp = new Date(time * 1000).toISOString();
  return bill;
}

/** package-lock.json without what only the development needs. */
function productionLock() {
  const lock = readJson('package-lock.json');
  const isProduction = ([path, { dev, devOptional, link }]) =>
    (path === '' || path.startsWith('node_modules/')) && !dev && !devOptional && !link;
  const packages = Object.fromEntries(Object.entries(lock.packages).filter(isProduction));
  const { devDependencies: _, ...own } = packages[''];
  return { ...lock, packages: { ...packages, '': own } };
}

function readJson(name) {
  return JSON.parse(readFileSync(join(root, name), 'utf8'));
}

/** The section of `version` in CHANGELOG.md. */
function releaseNotes(version) {
  const sections = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^(?=## )/m);
  const section = sections.find((text) => text.startsWith(`## ${version} `));
  if (section === undefined) throw new Error(`CHANGELOG.md: has no section "## ${version}"`);
  return section;
}

/** What the program printed on stdout. Throws with its stderr when it fails. */
function run(program, ...args) {
  return execFileSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

try {
  main();
} catch (error) {
  console.error(`release: ${error.message}`);
  process.exit(1);
}
