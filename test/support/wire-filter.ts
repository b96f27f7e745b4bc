// Filters in their wire form, written short: call('eq', attr('k', 'span'), scalar('x')).

export type WireJson = Readonly<Record<string, unknown>>;

export const call = (op: string, ...args: readonly WireJson[]): WireJson => ({ op, args });
/** A call as an argument of another one. */
export const inner = (op: string, ...args: readonly WireJson[]): WireJson => ({ call: call(op, ...args) });
export const attr = (key: string, level?: string): WireJson => ({
  attr: level === undefined ? { key } : { key, level },
});
export const field = (level: string, name: string): WireJson => ({ field: { name, level } });
export const scalar = (value: string, type?: string): WireJson => ({
  scalar: type === undefined ? { value } : { value, type },
});
export const list = (values: readonly string[], type?: string): WireJson => ({
  list: type === undefined ? { values } : { values, type },
});
export const nested = (level: string): WireJson => ({ nested: { level } });
