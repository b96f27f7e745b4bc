// YAML of the repository as a test reads it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { root } from './source-tree.ts';

/** A Kubernetes object, as much as tests ask of it. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any;
}

/** `merge`: `<<` takes over the keys of another map, as Compose reads it. */
export function readYaml(path: string, merge = false): unknown {
  return parse(readFileSync(join(root, path), 'utf8'), { merge });
}

/** The documents of a stream, empty ones left out. Throws on an error of syntax. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const value = document.toJS() as Manifest | null;
    return value === null ? [] : [value];
  });
}
