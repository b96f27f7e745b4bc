// Deletes selected spans of some tenants from one day: finds their rows, and has the day written again without them.
import { StoreError } from '../base/errors.ts';
import { parseDay } from '../partition/day.ts';
import type { SpanRows, SpanSelection, SpanSelector, StoreAdmin } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';

export interface NamedDay {
  readonly name: string;
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
}

export interface DayEraser {
  readonly admin: Pick<StoreAdmin, 'deleteRows'>;
  readonly selector: SpanSelector;
}

/** A merge that replaces parts between finding the rows and removing them is rare; retention may drop some, too. */
const ATTEMPTS_MAX = 50;

/** Those of partitions' names that are days. */
export function namedDays(names: readonly string[]): NamedDay[] {
  return names.flatMap((name) => {
    const day = parseDay(name);
    return day === undefined ? [] : [{ name, day }];
  });
}

/** Returns how many spans it has deleted. Spans in the day's log stay. Throws UNAVAILABLE, and what the two throw. */
export async function deleteFromDay(
  { admin, selector }: DayEraser,
  { name, day }: NamedDay,
  { tenants, selection }: { readonly tenants: readonly Tenant[]; readonly selection: SpanSelection },
): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const rows: SpanRows[] = [];
    for (const tenant of tenants) rows.push(...(await selector.selectRows({ tenant }, day, selection)));
    // Also where there are no rows: an earlier run may have removed them, and been cut off before their names.
    if ((await admin.deleteRows(tenants, name, rows)) === 'done')
      return rows.reduce((sum, { flags }) => sum + flags.reduce((count, flag) => count + flag, 0), 0);
  }
  throw new StoreError('UNAVAILABLE', `partition ${name} changes too often; try again`);
}
