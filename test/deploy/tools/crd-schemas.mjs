// Makes JSON schemas for kubeconform from CustomResourceDefinitions: crd-schemas.mjs FOLDER CRD.yaml…
// Strict, as an API server is not by default: a field that the CRD does not name is an error.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const [folder, ...files] = process.argv.slice(2);
for (const file of files) {
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const { kind, spec } = document.toJS() ?? {};
    if (kind !== 'CustomResourceDefinition') continue;
    for (const { name, schema } of spec.versions) {
      const strict = close(schema.openAPIV3Schema, true);
      const target = `${spec.names.kind}-${spec.group.split('.')[0]}-${name}.json`.toLowerCase();
      writeFileSync(join(folder, target), JSON.stringify(strict));
    }
  }
}

/** Objects that list their fields have no others; metadata is Kubernetes' own. */
function close(schema, isRoot = false) {
  if (Array.isArray(schema)) return schema.map((item) => close(item));
  if (schema === null || typeof schema !== 'object') return schema;
  const closed = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, isRoot && key === 'metadata' ? value : close(value)]),
  );
  const isOpen = closed['x-kubernetes-preserve-unknown-fields'] === true || closed.additionalProperties !== undefined;
  if (closed.type === 'object' && closed.properties !== undefined && !isOpen) closed.additionalProperties = false;
  return closed;
}
