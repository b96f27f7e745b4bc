// The Compose files of deploy/compose: every file that they mount is there, every flag and address in them is one of the program or of
// another service; against the schema of the Compose specification when COMPOSE_SCHEMA names it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { flagTable } from '../../src/config.ts';
import { runProgram } from '../support/node-process.ts';
import { root } from '../support/source-tree.ts';
import { readYaml } from '../support/yaml-files.ts';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, object>>;
  readonly build?: { readonly context: string; readonly dockerfile: string };
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const folder = join(root, 'deploy/compose');
const FILES = ['compose.yaml', 'log.yaml'].map(
  (name) => [name, readYaml(`deploy/compose/${name}`, true) as ComposeFile] as const,
);
const isOurs = ({ image }: Service): boolean => image.startsWith('tracelith:');

describe.each(FILES)('%s', (_name, compose) => {
  const services = Object.values(compose.services);

  test('each volume is a file of the repository, or one that the file declares', () => {
    for (const volume of services.flatMap(({ volumes = [] }) => volumes)) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.')) expect(existsSync(join(folder, source)), source).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
    const builds = services.flatMap(({ build }) => build ?? []);
    expect(builds).toHaveLength(1);
    for (const { context, dockerfile } of builds) expect(existsSync(join(folder, context, dockerfile))).toBe(true);
  });

  test('each address names a service of the file, and each published port is on loopback and published once', () => {
    const mounted = services.flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    const files = mounted
      .filter((file) => /^\.\/.*\./.test(file))
      .map((file) => readFileSync(join(folder, file), 'utf8'));
    const texts = [...files, ...services.flatMap(({ environment = {} }) => Object.values(environment))];
    const hosts = texts.flatMap((text) =>
      [...text.matchAll(/(?:\w:\/\/|\b)([a-z][a-z0-9-]*):\d{4,5}\b/g)].map(([, host]) => host),
    );
    expect(hosts.length).toBeGreaterThan(2);
    for (const host of hosts) expect(Object.keys(compose.services)).toContain(host);
    const ports = services.flatMap(({ ports = [] }) => ports);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test('its flags are the program’s, which accepts them together, and its images have a version', async () => {
    const names = flagTable.map(({ name }) => `-${name}`);
    const nodes = services.filter(isOurs);
    expect(nodes.length).toBeGreaterThan(0);
    for (const { command = [], environment = {} } of nodes) {
      const own = Object.entries(environment).filter(([name]) => name.startsWith('TRACELITH_'));
      const fromEnvironment = own.map(
        ([name, value]) => `-${name.slice('TRACELITH_'.length).replaceAll('_', '.')}=${value}`,
      );
      const flags = [...command, ...fromEnvironment];
      for (const flag of flags) expect(names).toContain(flag.split('=')[0]);
      expect(await runProgram([...flags, '-version']), flags.join(' ')).toMatchObject({ exitCode: 0 });
    }
    for (const { image } of services) expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
  });
});

test('the data source of Grafana is of type Jaeger', () => {
  expect(readYaml('deploy/compose/grafana/datasources.yaml')).toMatchObject({
    datasources: [{ type: 'jaeger', url: 'http://tracelith:10428/select/jaeger' }],
  });
});

const schema = process.env['COMPOSE_SCHEMA'];
test.skipIf(schema === undefined)('they are valid by the Compose specification', () => {
  const { $schema: _, ...rules } = JSON.parse(readFileSync(schema ?? '', 'utf8')) as Record<string, unknown>;
  const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(rules);
  for (const [name, compose] of FILES) expect(validate(compose) ? [] : validate.errors, name).toEqual([]);
  expect(validate({ services: { a: { imag: 'x' } } }), 'and a misspelt key is not').toBe(false);
});
