// UTC days as numbers (days since 1970-01-01) and as the names of partitions (YYYYMMDD).

export const DAY_MS = 86_400_000;

/** "20261120" */
export function formatDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '');
}

/** The day that a partition's name stands for; undefined for any other name. */
export function parseDay(name: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)$/.exec(name);
  if (match === null) return undefined;
  const day = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3])) / DAY_MS;
  return formatDay(day) === name ? day : undefined;
}
