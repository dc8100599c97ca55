/** Small pieces of text that many pages show. */
import { ActionIcon, Alert, Code, CopyButton, Group, Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import { messageOf } from '../api/call.js';
import { Icon } from './icons.js';

export const shortCommit = (commit: string): string => commit.slice(0, 7);
/** Ids of one second begin alike; their ends tell them apart. */
export const shortId = (id: string): string => `…${id.slice(-8)}`;

export function CopyIcon({ value, what }: { value: string; what: string }) {
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'copied' : `copy ${what}`}>
          <ActionIcon variant="subtle" color="gray" size="sm" onClick={copy} aria-label={`copy ${what}`}>
            <Icon name={copied ? 'check' : 'copy'} size={14} />
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** A command line to try, ready to be copied. */
export function Command({ children }: { children: string }) {
  return (
    <Group gap={4} wrap="nowrap" justify="center">
      <Code className="command">{children}</Code>
      <CopyIcon value={children} what="the command" />
    </Group>
  );
}

export function Failed({ error, what }: { error: unknown; what: string }) {
  return (
    <Alert color="red" title={`${what} could not be read`} role="alert">
      {messageOf(error)}
    </Alert>
  );
}

export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
