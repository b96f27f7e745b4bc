// The waterfall: a tree of spans against the trace's time. Only the rows in sight are in the document, so that a trace of 100,000
// spans scrolls; all have one height, which style.css knows as --row. Keys and roles: the pattern "treegrid" of WAI-ARIA.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatMicroseconds } from './format.ts';
import { Name } from './name.tsx';
import { hasChildren, openRows, pressKey, toggled, type GridState } from './open-rows.ts';
import type { TraceRow } from './trace-rows.ts';

const ROW_PX = 28;
/** Rows beyond both edges, so that a fast scroll shows no gap. */
const SPARE_ROWS = 10;
/** Deeper spans are not moved further to the right: their name would have no room. */
const INDENTS_MAX = 16;
const HUES = 8;
const TICKS = [0, 0.25, 0.5, 0.75];

interface Props {
  readonly rows: readonly TraceRow[];
  readonly durationUs: number;
  readonly errors: number;
  /** The index of the row whose details are shown. */
  readonly chosen: number;
  readonly setChosen: (row: number) => void;
}

export function Waterfall({ rows, durationUs, errors, chosen, setChosen }: Props) {
  const [closed, setClosed] = useState<ReadonlySet<number>>(new Set());
  const open = useMemo(() => openRows(rows, closed), [rows, closed]);
  const { grid, sight, show } = useSight();
  const change = (next: GridState): void => {
    setClosed(next.closed);
    setChosen(next.active);
    show(openRows(rows, next.closed).indexOf(next.active));
  };
  const press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const pageRows = Math.max(1, sight.count - 1);
    const next = pressKey(event.key, { active: chosen, closed }, { rows, open, pageRows });
    if (next === undefined) return;
    event.preventDefault();
    change(next);
  };
  const nextError = (): void => {
    const after = rows.findIndex(({ isError }, row) => isError && row > chosen);
    change({ active: after >= 0 ? after : rows.findIndex(({ isError }) => isError), closed: new Set() });
  };
  const first = Math.max(0, sight.first - SPARE_ROWS);
  const inSight = open.slice(first, sight.first + sight.count + SPARE_ROWS);
  return (
    <div class="waterfall">
      <Scale durationUs={durationUs} />
      <div
        ref={grid}
        role="treegrid"
        class="grid"
        aria-label="Spans of the trace"
        aria-rowcount={open.length}
        aria-activedescendant={inSight.includes(chosen) ? `row-${chosen}` : undefined}
        tabIndex={0}
        onKeyDown={press}
      >
        <div role="presentation" class="rows" style={{ blockSize: `${open.length * ROW_PX}px` }}>
          {inSight.map((row, i) => (
            <Row
              key={row}
              {...{ row, item: rows[row]!, at: first + i }}
              isParent={hasChildren(rows, row)}
              isClosed={closed.has(row)}
              isChosen={row === chosen}
              choose={() => setChosen(row)}
              toggle={() => change({ active: row, closed: toggled(closed, row) })}
            />
          ))}
        </div>
      </div>
      <p class="controls quiet">
        <span>Arrow keys move, open and close.</span>
        {errors > 0 && (
          <button type="button" onClick={nextError}>
            Next error
          </button>
        )}
      </p>
    </div>
  );
}

/** The rows in sight of the scrolled element, and a way to bring one there. */
function useSight() {
  const grid = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ first: 0, count: 30 });
  useEffect(() => {
    const element = grid.current!;
    const look = (): void => {
      const count = Math.ceil(element.clientHeight / ROW_PX) + 1;
      setSight({ first: Math.floor(element.scrollTop / ROW_PX), count });
    };
    const resized = new ResizeObserver(look);
    resized.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  const show = (at: number): void => {
    const element = grid.current!;
    const [top, room] = [at * ROW_PX, element.clientHeight - ROW_PX];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + room) element.scrollTop = top - room;
  };
  return { grid, sight, show };
}

function Scale({ durationUs }: { readonly durationUs: number }) {
  return (
    <div class="scale quiet" aria-hidden="true">
      <div class="ticks">
        {TICKS.map((share) => (
          <span key={share} style={{ insetInlineStart: `${100 * share}%` }}>
            {formatMicroseconds(share * durationUs)}
          </span>
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  readonly item: TraceRow;
  /** Its index in the trace, and its place among the open rows. */
  readonly row: number;
  readonly at: number;
  readonly isParent: boolean;
  readonly isClosed: boolean;
  readonly isChosen: boolean;
  readonly choose: () => void;
  readonly toggle: () => void;
}

function Row({ item, row, at, isParent, isClosed, isChosen, choose, toggle }: RowProps) {
  const { service, span, depth, isError, from, width } = item;
  return (
    <div
      id={`row-${row}`}
      role="row"
      class={isError ? 'row failed' : 'row'}
      aria-level={depth + 1}
      aria-rowindex={at + 1}
      aria-selected={isChosen}
      aria-expanded={isParent ? !isClosed : undefined}
      style={{ insetBlockStart: `${at * ROW_PX}px` }}
      onClick={choose}
    >
      <div
        role="gridcell"
        class="name"
        style={{ paddingInlineStart: `calc(${Math.min(depth, INDENTS_MAX)} * var(--indent))` }}
      >
        <span class="toggle" aria-hidden="true" onClick={isParent ? toggle : undefined}>
          {isParent && (isClosed ? '▸' : '▾')}
        </span>
        <span class={`mark-service hue${hueOf(service)}`} aria-hidden="true" />
        {isError && <span class="error">error </span>}
        <Name text={service} kind="service" /> <Name text={span.operationName} />
      </div>
      <div role="gridcell" class="track">
        <span
          class={`bar hue${hueOf(service)}`}
          style={{ insetInlineStart: `${100 * from}%`, inlineSize: `${100 * width}%` }}
        />
      </div>
      <div role="gridcell" class="number">
        {formatMicroseconds(span.duration)}
      </div>
    </div>
  );
}

/** Spans of a service have one colour in every trace; two services may share one. */
function hueOf(service: string): number {
  let hash = 0;
  for (let i = 0; i < service.length; i++) hash = (hash * 31 + service.charCodeAt(i)) | 0;
  return Math.abs(hash) % HUES;
}
