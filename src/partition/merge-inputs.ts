// What a flush or merge reads: the blocks of log files and of parts, as mergeParts takes them.
import { join } from 'node:path';
import type { MergeInput } from '../part/merge-parts.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import type { LogFile } from './log-file.ts';
import type { LivePart } from './part-set.ts';

export function bytesOf(parts: readonly LivePart[]): number {
  return parts.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
}

export function logInput(file: LogFile): MergeInput {
  const blocks = file.blocks.map(({ offset, header }) => {
    const { sizeBytes, tenant, startMin } = header;
    return { offset, sizeBytes, tenant, startMin };
  });
  return { path: file.path, blocks };
}

export function partInput(part: LivePart): MergeInput {
  const blocks = part.metadata.blocks.map(({ offset, sizeBytes, tenant, startMin }) => ({
    offset,
    sizeBytes,
    tenant,
    startMin,
  }));
  return { path: join(part.path, DATA_FILE), blocks };
}
