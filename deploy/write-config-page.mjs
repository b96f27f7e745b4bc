// Writes the tables of docs/CONFIG.md from the flags in src/flags/: `node deploy/write-config-page.mjs` after a flag has changed.
import { readFileSync, writeFileSync } from 'node:fs';
import { writeFlagTables } from '../src/base/flag-page.ts';
import { flagTable } from '../src/config.ts';

const page = new URL('../docs/CONFIG.md', import.meta.url);
writeFileSync(page, writeFlagTables(readFileSync(page, 'utf8'), flagTable));
