/** A JSON document as a tree, with its exact text to copy: 1.0 and 9007199254740993 are shown as they were sent. */
import { Button, Group, Text } from '@mantine/core';
import { isLosslessNumber, parse } from 'lossless-json';
import { useMemo } from 'react';
import { RawJson } from '../../../src/contract/raw-json.js';
import { saveText } from '../parts/save.js';
import { CopyIcon } from '../parts/text.js';

export function JsonPanel({ json, name, empty }: { json: RawJson | null; name: string; empty: string }) {
  const text = json instanceof RawJson ? json.text : null;
  const value = useMemo(() => (text === null ? undefined : readTree(text)), [text]);
  if (text === null) return <Text py="md">{empty}</Text>;
  return (
    <div className="json-panel">
      <Group justify="flex-end" gap="xs">
        <CopyIcon value={text} what={`the ${name} as JSON`} />
        <Button size="compact-sm" variant="default" onClick={() => saveText(`${name}.json`, 'application/json', text)}>
          Download
        </Button>
      </Group>
      {value === undefined ? (
        <pre className="json">{text}</pre>
      ) : (
        <div className="json">
          <Node value={value.tree} depth={0} />
        </div>
      )}
    </div>
  );
}

/** Undefined for what this reader refuses, e.g. the same key twice: then the plain text is shown. */
function readTree(text: string): { tree: unknown } | undefined {
  try {
    return { tree: parse(text) };
  } catch {
    return undefined;
  }
}

const OPEN_DEPTH = 2;
const SHOWN_AT_ONCE = 200;

function Node({ name, value, depth }: { name?: string; value: unknown; depth: number }) {
  if (!isContainer(value)) {
    return (
      <div className="json-leaf">
        <Key name={name} />
        <Leaf value={value} />
      </div>
    );
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const size = `${entries.length} ${list ? 'element' : 'member'}${entries.length === 1 ? '' : 's'}`;
  return (
    <details open={depth < OPEN_DEPTH && entries.length <= SHOWN_AT_ONCE}>
      <summary>
        <Key name={name} />
        <span className="dim">{`${list ? '[' : '{'} ${size} ${list ? ']' : '}'}`}</span>
      </summary>
      <div className="json-children">
        {entries.slice(0, SHOWN_AT_ONCE).map(([key, member]) => (
          <Node key={key} name={key} value={member} depth={depth + 1} />
        ))}
        {entries.length > SHOWN_AT_ONCE && (
          <div className="dim">… and {entries.length - SHOWN_AT_ONCE} more; copy or download to see all</div>
        )}
      </div>
    </details>
  );
}

const isContainer = (value: unknown): value is object =>
  value !== null && typeof value === 'object' && !isLosslessNumber(value);

function Key({ name }: { name: string | undefined }) {
  return name === undefined ? null : <span className="json-key">{name}: </span>;
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === 'string') return <span className="json-string">{JSON.stringify(value)}</span>;
  return <span className="json-plain">{String(value)}</span>;
}
