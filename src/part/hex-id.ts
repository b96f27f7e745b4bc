// Names of numbered files and folders: 16 hex digits, so that byte order is number order. Numbers ascend within a
// partition and are never reused while a process runs, because readers may cache a file by its path alone.

/** The name of number `id`. */
export function formatHexId(id: number): string {
  return id.toString(16).padStart(16, '0');
}

/** The number in the name `text`; undefined if it is not such a name. */
export function parseHexId(name: string): number | undefined {
  if (!/^[0-9a-f]{16}$/.test(name)) return undefined;
  const id = Number.parseInt(name, 16);
  return Number.isSafeInteger(id) ? id : undefined;
}
