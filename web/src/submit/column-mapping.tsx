/** Which column becomes which parameter. */
import { Group, Select } from '@mantine/core';
import type { Mapping } from './rows.js';

interface Props {
  readonly columns: readonly string[];
  /** Parameters of the method's schema. */
  readonly known: readonly string[];
  readonly mapping: Mapping;
  readonly onChange: (mapping: Mapping) => void;
}

const LEFT_OUT = '\u0000';

export function ColumnMapping({ columns, known, mapping, onChange }: Props) {
  return (
    <Group gap="sm" my="xs">
      {columns.map((column) => {
        const names = [...new Set([...known, column])];
        const data = [
          ...names.map((name) => ({ value: name, label: name })),
          { value: LEFT_OUT, label: '(leave out)' },
        ];
        return (
          <Select
            key={column}
            w={170}
            label={column}
            description="becomes"
            allowDeselect={false}
            data={data}
            value={mapping[column] ?? LEFT_OUT}
            onChange={(next) => onChange({ ...mapping, [column]: next === LEFT_OUT ? null : next })}
          />
        );
      })}
    </Group>
  );
}
