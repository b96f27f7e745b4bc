// Names of numbered files and folders: 16 hex digits, so that byte order is number order. Numbers count up within one
// partition and are never used twice while a process runs, because readers may know a file by its path alone.

/** The name of number `id`. */
export function formatHexId(id: number): string {
  return id.toString(16).padStart(16, '0');
}

/** The number a name stands for; undefined for any other name. */
export function parseHexId(name: string): number | undefined {
  if (!/^[0-9a-f]{16}$/.test(name)) return undefined;
  const id = Number.parseInt(name, 16);
  return Number.isSafeInteger(id) ? id : undefined;
}
