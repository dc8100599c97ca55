/** The items of a batch, failures first. */
import { Button, EmptyState, Loader } from '@mantine/core';
import { useMemo } from 'react';
import type { BatchItem } from '../../../src/contract/schemas.js';
import { type Col, DataTable, type Selection } from '../parts/data-table.js';
import { durationText, elapsed } from '../parts/durations.js';
import { QuickLink } from '../parts/quick-link.js';
import { number, rankOf } from '../parts/states.js';
import { StatusBadge } from '../parts/status.js';
import { Command, shortCommit } from '../parts/text.js';
import { exactTime, useNow } from '../parts/time.js';
import { itemLabel } from './item-label.js';

interface Props {
  readonly rows: readonly BatchItem[];
  readonly total: number;
  readonly loading: boolean;
  /** `state`, `-retries`: a column, from the greatest down with a minus. */
  readonly sort: string | undefined;
  readonly onSort: (sort: string | undefined) => void;
  readonly selection: Selection;
  readonly active: string | null;
  readonly onOrder: (ids: readonly string[]) => void;
  readonly onClearFilter: () => void;
}

const COLS: readonly Col<BatchItem>[] = [
  {
    id: 'state',
    head: 'State',
    width: '8.4rem',
    phone: '6.4rem',
    by: (row) => rankOf(row.status),
    cell: (row) => <StatusBadge status={row.status} />,
  },
  { id: 'item', head: 'Item', width: '23%', main: true, by: rootOf, cell: (row) => <ItemLink row={row} /> },
  {
    id: 'retries',
    head: 'Retries',
    width: '5rem',
    align: 'end',
    wide: 'slightly',
    by: (row) => row.retry_number,
    cell: (row) => row.retry_number,
  },
  {
    id: 'error',
    head: 'Last error',
    width: 'auto',
    wide: true,
    by: (row) => row.error_start,
    cell: (row) => <ErrorCell row={row} />,
  },
  {
    id: 'duration',
    head: 'Duration',
    width: '6.5rem',
    align: 'end',
    wide: true,
    by: durationOf,
    cell: (row) => <Duration row={row} />,
  },
];

/** Where all run one method the page's head names it, and the room is the errors'. */
const COMMIT: Col<BatchItem> = {
  id: 'version',
  head: 'App version',
  width: '6.5rem',
  wide: 'very',
  by: versionOf,
  cell: (row) => <code title={versionOf(row)}>{shortCommit(row.commit)}</code>,
};
const METHOD_AND_COMMIT: Col<BatchItem> = {
  ...COMMIT,
  width: '10.5rem',
  cell: (row) => <code title={versionOf(row)}>{`${row.method}@${shortCommit(row.commit)}`}</code>,
};
const COLS_OF_ONE_METHOD = [...COLS, COMMIT];
const COLS_OF_SEVERAL = [...COLS, METHOD_AND_COMMIT];

export function ItemsTable(props: Props) {
  const { rows, sort = 'state', onSort } = props;
  const sorting = useMemo(() => ({ id: sort.replace(/^-/, ''), desc: sort.startsWith('-') }), [sort]);
  const isOneMethod = useMemo(() => rows.every((row) => row.method === rows[0]?.method), [rows]);
  return (
    <DataTable
      label="items of the batch"
      rows={rows}
      cols={isOneMethod ? COLS_OF_ONE_METHOD : COLS_OF_SEVERAL}
      idOf={rootOf}
      nameOf={nameOf}
      sorting={sorting}
      onSorting={({ id, desc }) => {
        const next = `${desc ? '-' : ''}${id}`;
        onSort(next === 'state' ? undefined : next);
      }}
      selection={props.selection}
      active={props.active}
      onOrder={props.onOrder}
      empty={<Nothing {...props} />}
    />
  );
}

/** In the order of the batch. */
function rootOf(row: BatchItem): string {
  return row.root_id;
}
/** People know an item by what went in. */
const nameOf = (row: BatchItem) => itemLabel(row.params_start) ?? row.root_id;

function durationOf(row: BatchItem): number | null {
  return elapsed(row.running_at, row.finished_at, row.finished_at === null ? Date.now() : 0);
}

function ItemLink({ row }: { row: BatchItem }) {
  const label = itemLabel(row.params_start);
  return (
    <QuickLink href={`/jobs/${row.job_id}`} className="item-link" title={`${row.params_start ?? ''}\n${row.root_id}`}>
      <span className="item-text">
        {label === null ? <span className="dim">no parameters</span> : label}
        <span className="item-error">
          {row.retry_number > 0 && `retry ${row.retry_number} `}
          {row.error_start}
        </span>
      </span>
      <span className="item-id">{row.root_id.slice(-6)}</span>
    </QuickLink>
  );
}

function ErrorCell({ row }: { row: BatchItem }) {
  if (row.error_start === null && row.failure_class === null) return null;
  return (
    <span title={row.error_start ?? ''}>
      {row.failure_class !== null && <span className="class-tag">{row.failure_class}</span>}
      {row.error_start}
    </span>
  );
}

function Duration({ row }: { row: BatchItem }) {
  if (row.running_at === null) return <span className="dim">–</span>;
  return row.finished_at === null ? <Running since={row.running_at} /> : <Ended row={row} />;
}

function Running({ since }: { since: string }) {
  return (
    <span title={`since ${exactTime(since)}`}>
      {durationText(elapsed(since, null, Math.max(useNow(), Date.now())) ?? 0)}
    </span>
  );
}

function Ended({ row }: { row: BatchItem }) {
  return <span title={`ended ${exactTime(row.finished_at as string)}`}>{durationText(durationOf(row) ?? 0)}</span>;
}

function versionOf(row: BatchItem): string {
  return `${row.method}@${row.commit}`;
}

function Nothing({ total, loading, onClearFilter }: Props) {
  if (total === 0 && loading) return <Loader role="status" aria-label="reading the items" />;
  if (total === 0) {
    return (
      <EmptyState title="This batch has no items" description="Jobs can be added to a batch at any time:">
        <Command>reprise batch --help</Command>
      </EmptyState>
    );
  }
  return (
    <EmptyState title="No item matches" description={`None of ${number(total)} items matches the filter.`}>
      <EmptyState.Actions>
        <Button variant="default" onClick={onClearFilter}>
          Show all items
        </Button>
      </EmptyState.Actions>
    </EmptyState>
  );
}
