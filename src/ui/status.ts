// The node's status, asked for again and again while the page is visible: every second while nothing is stored, then less often.
import { useEffect, useState } from 'preact/hooks';
import { askNode } from './ask-node.ts';
import type { HomeService, HomeStatus } from './home-status.ts';

export interface Heard {
  /** The newest answer; undefined: none yet. */
  readonly status: HomeStatus | undefined;
  /** Why the last request failed, a sentence; undefined: it did not. */
  readonly problem: string | undefined;
  /** Nothing was stored at first: the page waits, or has waited, for the first span. */
  readonly hasWaited: boolean;
  /** When this was heard, ms since the epoch. */
  readonly atMs: number;
}

const WAITING_MS = 1_000;
const WATCHING_MS = 5_000;

export function isEmpty({ services, days }: HomeStatus): boolean {
  return services.length === 0 && (days ?? []).every(({ spans }) => spans === 0);
}

/** The newest span of a service, ms since the epoch; undefined where nothing is counted. */
export function newestOf({ days }: HomeService): number | undefined {
  return days.length === 0 ? undefined : Math.max(...days.map(({ newestMs }) => newestMs));
}

export function useStatus(tenant: string): Heard {
  const [heard, setHeard] = useState<Heard>({ status: undefined, problem: undefined, hasWaited: false, atMs: 0 });
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.hidden) return;
      const next = await ask(tenant, signal);
      if (signal.aborted) return;
      let isWaiting = false;
      setHeard((before) => {
        isWaiting = next.status === undefined ? before.hasWaited : isEmpty(next.status);
        return { ...next, status: next.status ?? before.status, hasWaited: before.hasWaited || isWaiting };
      });
      timer = setTimeout(() => void look(), isWaiting ? WAITING_MS : WATCHING_MS);
    };
    document.addEventListener('visibilitychange', () => void look(), { signal });
    void look();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [tenant]);
  return heard;
}

async function ask(tenant: string, signal: AbortSignal): Promise<Omit<Heard, 'hasWaited'>> {
  try {
    const { value: status } = await askNode<HomeStatus>('ui/status.json', tenant, signal);
    return { status, problem: undefined, atMs: Date.now() };
  } catch (error) {
    return { status: undefined, problem: error instanceof Error ? error.message : String(error), atMs: Date.now() };
  }
}
