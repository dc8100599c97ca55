/** One box for words and `key:value` terms, with tabs for the states people ask for most. */
import { Button, Group, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { type Ref, useEffect, useState } from 'react';
import { Icon } from './icons.js';
import { KEYS, parseSearch, withTerm } from './search.js';
import { GROUPS, STATES_OF } from './states.js';

interface Props {
  readonly q: string;
  readonly problems: readonly string[];
  readonly onChange: (q: string) => void;
  readonly ref: Ref<HTMLInputElement>;
}

const TYPING_MS = 250;

export function SearchBox({ q, problems, onChange, ref }: Props) {
  const [typed, setTyped] = useState(q);
  const send = useDebouncedCallback(onChange, TYPING_MS);
  // the address may change without the box: a tab, a link, the way back
  useEffect(() => setTyped(q), [q]);
  const { states } = parseSearch(q);
  const isOn = (group: (typeof GROUPS)[number]) => states.join() === STATES_OF[group].join();
  return (
    <div className="search">
      <TextInput
        ref={ref}
        type="search"
        aria-label={`search; terms are ${KEYS.map((key) => `${key}:`).join(' ')}`}
        placeholder="state:failed user:me app:phix words  ( / )"
        leftSection={<Icon name="search" />}
        value={typed}
        error={problems.length > 0 ? problems.join('; ') : undefined}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          send(event.currentTarget.value);
        }}
      />
      <Group gap={4} className="tabs">
        {GROUPS.map((group) => (
          <Button
            key={group}
            size="compact-sm"
            variant={isOn(group) ? 'filled' : 'default'}
            aria-pressed={isOn(group)}
            onClick={() => onChange(withTerm(q, 'state', isOn(group) ? null : group))}
          >
            {group}
          </Button>
        ))}
      </Group>
    </div>
  );
}
