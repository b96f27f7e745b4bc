// What removes spans from a store: the tasks of /delete/run_task, if they are on, and the retention of tenants.
import { systemClock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Config } from '../../config.ts';
import { DeleteTasks } from '../../deletion/delete-tasks.ts';
import { TenantRetention } from '../../deletion/tenant-retention.ts';
import { nodeDisk } from '../../disk/node-disk.ts';
import { DAY_MS } from '../../partition/day.ts';
import type { ArchiveEraser, SpanSelection, SpanSelector, StoreAdmin } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';
import type { TenantLimits } from '../edge/tenant-limits.ts';
import { QueryString } from '../go/query-string.ts';
import { parseSpanSelection } from '../jaeger/jaeger-params.ts';

export interface DeletionParts {
  readonly store: StoreAdmin;
  readonly reader: SpanSelector;
  /** undefined: nothing is archived. */
  readonly archive: ArchiveEraser | undefined;
  readonly tenants: TenantLimits;
  readonly logger: Logger;
}

export interface OpenedDeletion {
  /** undefined: users may delete nothing. */
  readonly tasks: DeleteTasks | undefined;
  /** Both stop after the day under way. */
  close(): Promise<void>;
}

/** Goes on with the tasks of the last run. Throws CORRUPTION. */
export function openDeletion(
  config: Config,
  { store, reader, archive, tenants, logger }: DeletionParts,
): OpenedDeletion {
  const { storageDataPath: path, searchTracesMax: maxTraces, hasTagExpressions } = config;
  const shared = { disk: nodeDisk, clock: systemClock, logger, admin: store, selector: reader };
  const parse = (query: string, nowMs: number): SpanSelection =>
    parseSpanSelection(new QueryString(query), { nowMs, maxTraces, hasTagExpressions });
  const tasks = config.isDeleteOn ? new DeleteTasks({ ...shared, path, archive, parse }) : undefined;
  const retentionMsOf = (tenant: Tenant): number => tenants.of(tenant).retentionDays * DAY_MS;
  const retention = new TenantRetention({ ...shared, ...config, retentionMsOf });
  tenants.onChange(() => void retention.look());
  return { tasks, close: async () => void (await Promise.all([tasks?.close(), retention.close()])) };
}
