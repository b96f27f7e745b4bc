// The identity of a store: made once, kept, and never guessed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { NODE_ID_FILE, takeNodeId } from '../../src/storage/node-id.ts';
import { TemporaryFolder } from './open-store.ts';

test('is made at the first start and read at the next', () => {
  using folder = new TemporaryFolder();
  using other = new TemporaryFolder();
  const id = takeNodeId(nodeDisk, folder.path);
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(takeNodeId(nodeDisk, folder.path)).toBe(id);
  expect(takeNodeId(nodeDisk, other.path)).not.toBe(id);
  expect(readFileSync(join(folder.path, NODE_ID_FILE), 'utf8')).toBe(`${id}\n`);
});

test('one that is damaged fails the start, because another id would move all traces', () => {
  using folder = new TemporaryFolder();
  writeFileSync(join(folder.path, NODE_ID_FILE), 'x');
  expect(() => takeNodeId(nodeDisk, folder.path)).toThrow(/expected 16 hex digits; write the 16 hex digits/);
});
