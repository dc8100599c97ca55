/** Every row with its verdict, bad ones first. */
import { Group, Text } from '@mantine/core';
import { useState } from 'react';
import { type Col, DataTable, type Sorting } from '../parts/data-table.js';
import { Icon } from '../parts/icons.js';
import { number } from '../parts/states.js';
import type { Row } from './rows.js';

export interface CheckedRow extends Row {
  /** What the version asked for is, once the server was asked. */
  readonly commit?: string | null;
}

const COLS: readonly Col<CheckedRow>[] = [
  {
    id: 'problem',
    head: 'Verdict',
    width: '7rem',
    by: (row) => (row.problem === null ? 1 : 0),
    cell: (row) => <Verdict row={row} />,
  },
  { id: 'line', head: 'Line', width: '4.5rem', align: 'end', by: (row) => row.line, cell: (row) => row.line },
  {
    id: 'params',
    head: 'Parameters, or why not',
    width: 'auto',
    cell: (row) =>
      row.problem === null ? (
        <code title={row.params ?? ''}>{row.params}</code>
      ) : (
        <span title={row.problem}>{row.problem}</span>
      ),
  },
];

export function Preview({ rows, checked }: { rows: readonly CheckedRow[]; checked: boolean }) {
  const [sorting, setSorting] = useState<Sorting>({ id: 'problem', desc: false });
  const bad = rows.filter((row) => row.problem !== null).length;
  const good = rows.length - bad;
  return (
    <>
      <Group my="xs">
        <Text role="status" size="sm">
          {checked
            ? `Checked: ${number(good)} good, ${number(bad)} bad.`
            : `Read: ${number(good)} rows${bad > 0 ? `, ${number(bad)} unreadable` : ''}; not checked yet.`}
        </Text>
      </Group>
      <DataTable
        short
        label="rows"
        rows={rows}
        cols={COLS}
        idOf={(row) => String(row.line)}
        nameOf={(row) => `line ${row.line}`}
        sorting={sorting}
        onSorting={setSorting}
        empty="no rows"
      />
    </>
  );
}

function Verdict({ row }: { row: CheckedRow }) {
  if (row.problem !== null) {
    return (
      <span className="status status-failed">
        <Icon name="cross" size={14} />
        bad
      </span>
    );
  }
  if (row.commit == null) return <span className="dim">read</span>;
  return (
    <span className="status status-completed">
      <Icon name="check" size={14} />
      good
    </span>
  );
}
