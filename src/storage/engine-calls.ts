// The calls that another thread may make to the store: one table of Storage's methods, from which both sides are built. A new
// operation is a method of Storage (and of its port) and a line here; no other code knows its arguments. Arguments and
// results are cloned between threads, so they are plain data.
import type { Storage } from './storage.ts';

export const ENGINE_CALLS = [
  'write',
  'consume',
  'consumed',
  'fillGaps',
  'writeRefusal',
  'listServices',
  'listOperations',
  'takeView',
  'releaseView',
  'reportDamage',
  'forceFlush',
  'forceMerge',
  'purge',
  'deleteRows',
  'acceptLosses',
  'listDays',
  'listPartitions',
  'listTenants',
  'tenantBytes',
  'detachPartition',
  'attachPartition',
  'createSnapshots',
  'listSnapshots',
  'deleteSnapshot',
  'stats',
  'close',
] as const satisfies readonly (keyof Storage)[];

export type EngineCallName = (typeof ENGINE_CALLS)[number];
export type EngineArgs = { readonly [K in EngineCallName]: Parameters<Storage[K]> };
export type EngineResults = { readonly [K in EngineCallName]: Awaited<ReturnType<Storage[K]>> };

/** The calls on the store's thread: implemented by Storage itself. */
export type EngineHandlers = {
  readonly [K in EngineCallName]: (...args: EngineArgs[K]) => EngineResults[K] | Promise<EngineResults[K]>;
};

/** The same calls on another thread. */
export type EngineMethods = {
  readonly [K in EngineCallName]: (...args: EngineArgs[K]) => Promise<EngineResults[K]>;
};

/** Carries one call to the store's thread and its result back. */
export type Carry = <K extends EngineCallName>(name: K, args: EngineArgs[K]) => Promise<EngineResults[K]>;

/** A method for every call, each carried by `carry`. */
export function engineMethods(carry: Carry): EngineMethods {
  const method =
    <K extends EngineCallName>(name: K) =>
    (...args: EngineArgs[K]): Promise<EngineResults[K]> =>
      carry(name, args);
  return Object.fromEntries(ENGINE_CALLS.map((name) => [name, method(name)])) as unknown as EngineMethods;
}

/** Runs one call on the store. */
export async function performCall<K extends EngineCallName>(
  store: EngineHandlers,
  { name, args }: { readonly name: K; readonly args: EngineArgs[K] },
): Promise<EngineResults[K]> {
  return store[name](...args);
}
