/** A table of many rows: sorted by its heads, only the visible part in the page, rows of one height. */
import { useVirtualizer } from '@tanstack/react-virtual';
import {
  type CSSProperties,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';

export interface Sorting {
  readonly id: string;
  readonly desc: boolean;
}

export interface Col<Row extends object> {
  readonly id: string;
  readonly head: string;
  readonly cell: (row: Row) => ReactNode;
  /** What the column sorts by; without it the head is only a word. */
  readonly by?: (row: Row) => string | number | null;
  /** CSS width; `auto` columns share what is left. */
  readonly width: string;
  /** Not shown on narrow screens; `very`: only on wide ones; `slightly`: on all but phones. */
  readonly wide?: true | 'very' | 'slightly';
  /** CSS width on phones. */
  readonly phone?: string;
  /** Takes what is left on narrow screens. */
  readonly main?: boolean;
  readonly align?: 'end';
}

export interface Selection {
  readonly chosen: ReadonlySet<string>;
  readonly toggle: (id: string, range: readonly string[]) => void;
  readonly toggleAll: (ids: readonly string[]) => void;
}

interface Props<Row extends object> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly cols: readonly Col<Row>[];
  readonly idOf: (row: Row) => string;
  readonly nameOf: (row: Row) => string;
  readonly sorting: Sorting;
  readonly onSorting: (sorting: Sorting) => void;
  readonly selection?: Selection;
  /** The row that the keyboard is on. */
  readonly active?: string | null;
  readonly onOrder?: (ids: readonly string[]) => void;
  readonly empty: ReactNode;
  /** Part of something else, not the end of a page. */
  readonly short?: boolean;
}

const ROW_PX = 44;
const SHORT_PX = 340;

/**
 * Sorting is a few lines here rather than a table library's: its model of ten thousand rows, made anew for every change,
 * cost many times what sorting costs.
 */
export function DataTable<Row extends object>(props: Props<Row>) {
  const { rows, cols, idOf, sorting, onOrder } = props;
  const sorted = useMemo(() => sortedBy(rows, cols, sorting), [rows, cols, sorting]);
  const order = useMemo(() => sorted.map(idOf), [sorted, idOf]);
  useEffect(() => onOrder?.(order), [order, onOrder]);
  return <Rows {...props} order={order} sorted={sorted} />;
}

/** What is not known stands last, whichever way. Equal ones keep their order. */
export function sortedBy<Row extends object>(rows: readonly Row[], cols: readonly Col<Row>[], sorting: Sorting): Row[] {
  const by = cols.find((col) => col.id === sorting.id)?.by;
  if (by === undefined) return [...rows];
  const sign = sorting.desc ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: by(row) }));
  keyed.sort((a, b) => {
    if (a.key === b.key) return 0;
    if (a.key === null) return 1;
    if (b.key === null) return -1;
    return a.key < b.key ? -sign : sign;
  });
  return keyed.map(({ row }) => row);
}

interface RowsProps<Row extends object> extends Props<Row> {
  readonly order: readonly string[];
  readonly sorted: readonly Row[];
}

function Rows<Row extends object>(props: RowsProps<Row>) {
  const { label, cols, order, sorted, selection, active } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const anchor = useRef<string | null>(null);
  const virtualizer = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const height = useRoom(scroller, sorted.length);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a move of the keyboard scrolls, not every new order
  useEffect(() => {
    const index = active == null ? -1 : order.indexOf(active);
    if (index >= 0) virtualizer.scrollToIndex(index);
  }, [active]);
  const visible = virtualizer.getVirtualItems();
  const before = visible[0]?.start ?? 0;
  const after = virtualizer.getTotalSize() - (visible.at(-1)?.end ?? 0);
  const choose = useStable((id: string, shift: boolean) => {
    const [from, to] = [order.indexOf(anchor.current ?? id), order.indexOf(id)].sort((a, b) => a - b) as [
      number,
      number,
    ];
    selection?.toggle(id, shift && from >= 0 ? order.slice(from, to + 1) : [id]);
    anchor.current = id;
  });
  if (sorted.length === 0) return <div className="table-empty">{props.empty}</div>;
  return (
    <section
      ref={scroller}
      className="table-scroll"
      style={{ maxHeight: props.short ? SHORT_PX : height }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={label}
    >
      <table className="table" aria-rowcount={sorted.length + 1}>
        <Heads {...props} />
        <tbody>
          {before > 0 && <Spacer height={before} />}
          {visible.map(({ index }) => {
            const id = order[index] as string;
            return (
              <TableRow
                key={id}
                id={id}
                row={sorted[index] as Row}
                index={index}
                cols={cols as readonly Col<never>[]}
                name={props.nameOf(sorted[index] as Row)}
                active={id === active}
                chosen={selection === undefined ? undefined : selection.chosen.has(id)}
                choose={choose}
              />
            );
          })}
          {after > 0 && <Spacer height={after} />}
        </tbody>
      </table>
    </section>
  );
}

interface TableRowProps {
  readonly id: string;
  readonly row: object;
  readonly index: number;
  readonly cols: readonly Col<never>[];
  readonly name: string;
  readonly active: boolean;
  /** Undefined: rows of this table cannot be selected. */
  readonly chosen: boolean | undefined;
  readonly choose: (id: string, shift: boolean) => void;
}

/** Drawn anew only when it changed: scrolling and events concern few of the rows on screen. */
const TableRow = memo(({ id, row, index, cols, name, active, chosen, choose }: TableRowProps) => (
  <tr
    aria-rowindex={index + 2}
    aria-selected={chosen}
    className={`${active ? 'row-active' : ''} ${chosen ? 'row-chosen' : ''}`}
  >
    {chosen !== undefined && (
      <td className="cell-check">
        <input
          type="checkbox"
          aria-label={`select ${name}`}
          checked={chosen}
          onChange={() => {}}
          onClick={(event) => choose(id, event.shiftKey)}
        />
      </td>
    )}
    {cols.map((col) => (
      <td key={col.id} className={classesOf(col)}>
        {col.cell(row as never)}
      </td>
    ))}
  </tr>
));
TableRow.displayName = 'TableRow';

/** The same function for ever, that does what the newest one does. */
function useStable<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
  const newest = useRef(run);
  useEffect(() => {
    newest.current = run;
  });
  return useCallback((...args: Args) => newest.current(...args), []);
}

const HIDDEN = { slightly: 'cell-not-on-phone', true: 'cell-wide', very: 'cell-wide cell-very-wide' } as const;

const classesOf = (col: Pick<Col<never>, 'wide' | 'main' | 'align'>) =>
  `${col.wide === undefined ? '' : HIDDEN[`${col.wide}`]} ${col.main ? 'cell-main' : ''} ${col.align === 'end' ? 'cell-end' : ''}`;

function Spacer({ height }: { height: number }) {
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row without content cannot have the focus
    <tr aria-hidden="true" className="spacer" style={{ height }}>
      <td />
    </tr>
  );
}

function Heads<Row extends object>({ cols, sorting, onSorting, selection, order }: RowsProps<Row>) {
  const all = selection !== undefined && order.length > 0 && order.every((id) => selection.chosen.has(id));
  return (
    <thead>
      <tr aria-rowindex={1}>
        {selection !== undefined && (
          <th scope="col" className="cell-check">
            <input
              type="checkbox"
              aria-label={`select all ${order.length} matching`}
              checked={all}
              ref={(box) => {
                if (box !== null) box.indeterminate = !all && selection.chosen.size > 0;
              }}
              onChange={() => selection.toggleAll(all ? [] : order)}
            />
          </th>
        )}
        {cols.map((col) => (
          <th
            key={col.id}
            scope="col"
            style={{ '--width': col.width, '--phone': col.phone ?? col.width } as CSSProperties}
            className={classesOf(col)}
            aria-sort={sorting.id === col.id ? (sorting.desc ? 'descending' : 'ascending') : undefined}
          >
            {col.by === undefined ? (
              col.head
            ) : (
              <button
                type="button"
                className="head-button"
                onClick={() => onSorting({ id: col.id, desc: sorting.id === col.id && !sorting.desc })}
              >
                {col.head}
                <span aria-hidden="true">{sorting.id === col.id ? (sorting.desc ? ' ↓' : ' ↑') : ''}</span>
              </button>
            )}
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** The table ends where the window does, so that its own rows scroll and its head stays. */
function useRoom(scroller: React.RefObject<HTMLDivElement | null>, rows: number): number {
  const [room, setRoom] = useState(600);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the first row brings the element
  useLayoutEffect(() => {
    const measure = () => {
      const top = (scroller.current?.getBoundingClientRect().top ?? 300) + window.scrollY;
      setRoom(Math.max(320, window.innerHeight - top - 24));
    };
    measure();
    window.addEventListener('resize', measure);
    return () => window.removeEventListener('resize', measure);
  }, [rows === 0]);
  return room;
}
