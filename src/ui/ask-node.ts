// Questions to the node, below the page's mount, for the tenant that the page shows.
import { useEffect, useState } from 'preact/hooks';

export type Answer<T> =
  | { readonly state: 'asking' }
  | { readonly state: 'failed'; readonly problem: string }
  /** `atMs`: when it came, ms since the epoch. */
  | (Told<T> & { readonly state: 'here'; readonly atMs: number });

export interface Told<T> {
  readonly value: T;
  /** What the answer lacks: damaged data, nodes of a cluster that are away; '' for nothing. */
  readonly warnings: string;
}

/** Headers that choose the tenant; the node's default without one. */
export function tenantHeaders(tenant: string): Record<string, string> {
  return tenant === '' ? {} : { 'x-tenant': tenant };
}

/** The JSON of a GET. Throws an Error with a sentence for people. */
export async function askNode<T>(path: string, tenant: string, signal: AbortSignal): Promise<Told<T>> {
  const response = await fetch(path, { headers: tenantHeaders(tenant), signal }).catch((error: unknown) => {
    throw new Error(`The node does not answer: ${String(error)}.`, { cause: error });
  });
  if (!response.ok) throw new Error(`The node answers ${response.status}: ${reasonOf(await response.text())}.`);
  // The header begins with their number.
  const warnings = response.headers.get('tracelith-warnings')?.replace(/^\d+: /, '') ?? '';
  return { value: (await response.json()) as T, warnings };
}

/**
 * Asks for each `path` and `tenant`, and again when `turn` changes. The last answer stays until the next one comes, so a component
 * that shows something else meanwhile needs a key of its own.
 */
export function useAnswer<T>(path: string, tenant: string, turn = 0): Answer<T> {
  const [heard, setHeard] = useState<Answer<T>>({ state: 'asking' });
  useEffect(() => {
    const leaving = new AbortController();
    askNode<T>(path, tenant, leaving.signal).then(
      (told) => setHeard({ state: 'here', ...told, atMs: Date.now() }),
      (error: unknown) => {
        const problem = error instanceof Error ? error.message : String(error);
        if (!leaving.signal.aborted) setHeard({ state: 'failed', problem });
      },
    );
    return () => leaving.abort();
  }, [path, tenant, turn]);
  return heard;
}

/** The text of an error in the two envelopes of Jaeger's APIs, or as plain text. */
function reasonOf(body: string): string {
  const text = body.trim().replace(/\.$/, '');
  if (!text.startsWith('{')) return text;
  try {
    const { errors, error } = JSON.parse(text) as { errors?: { msg?: string }[]; error?: { message?: string } };
    return errors?.[0]?.msg ?? error?.message ?? text;
  } catch {
    return text; // a proxy's page that begins like JSON
  }
}
