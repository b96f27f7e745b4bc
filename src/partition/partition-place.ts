// The path of a partition, and the options to open it with.
import { join } from 'node:path';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import type { NameBounds } from '../index/names.ts';
import type { Identity } from '../part/identity.ts';

export interface PartitionPlace {
  /** `<data path>/partitions/YYYYMMDD` */
  readonly path: string;
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly disk: Disk;
  readonly quarantinePath: string;
  readonly logger: Logger;
  /** Gets the parts and log files that no view holds or will hold again: threads that have them open close them. */
  readonly forget?: Forget | undefined;
  /** Default NAME_BOUNDS. */
  readonly nameBounds?: NameBounds | undefined;
}

export type Forget = (identities: readonly Identity[]) => void;

export function partsPath(path: string): string {
  return join(path, 'parts');
}

export function logPath(path: string): string {
  return join(path, 'log');
}
