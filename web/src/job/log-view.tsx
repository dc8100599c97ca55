/** The log of a job. Lines are text and nothing else; colours are spans with classes. */
import { ActionIcon, Alert, Button, Checkbox, Group, Loader, Switch, Text, TextInput, Tooltip } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { call, messageOf } from '../api/call.js';
import { Icon } from '../parts/icons.js';
import { saveText } from '../parts/save.js';
import { number } from '../parts/states.js';
import { AnsiText } from './ansi-text.js';
import { type Line, useLog } from './use-log.js';

const TYPING_MS = 300;
const LINE_PX = 20;

export function LogView({ jobId, ended }: { jobId: string; ended: boolean }) {
  const [typed, setTyped] = useState('');
  const [contains] = useDebouncedValue(typed.trim(), TYPING_MS);
  const [errorsOnly, setErrorsOnly] = useState(false);
  const [follow, setFollow] = useState(true);
  const log = useLog(jobId, { contains, errorsOnly }, follow);
  const filtered = contains !== '' || errorsOnly;
  return (
    <div className="log-panel">
      <Group gap="sm" my="xs">
        <TextInput
          size="xs"
          type="search"
          aria-label="search the log"
          placeholder="search the log"
          leftSection={<Icon name="search" size={14} />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Checkbox
          size="xs"
          label="errors only"
          checked={errorsOnly}
          onChange={(event) => setErrorsOnly(event.currentTarget.checked)}
        />
        {!ended && (
          <Switch
            size="xs"
            label="follow"
            checked={follow}
            onChange={(event) => setFollow(event.currentTarget.checked)}
          />
        )}
        <Text size="xs" className="dim" role="status">
          {filtered ? `${number(log.lines.length)} of ${number(log.total)} lines` : `${number(log.total)} lines`}
        </Text>
        <DownloadLog jobId={jobId} />
      </Group>
      {log.error !== null && <Alert color="red">{messageOf(log.error)}</Alert>}
      {!filtered && log.from > 0 && (
        <Button size="compact-sm" variant="subtle" onClick={() => void log.readBack()}>
          {number(log.from)} earlier lines: show more
        </Button>
      )}
      {log.reading && log.lines.length === 0 ? (
        <Loader role="status" size="sm" aria-label="reading the log" />
      ) : (
        <Lines lines={log.lines} follow={follow && !ended} empty={emptyText(filtered, ended)} />
      )}
    </div>
  );
}

function emptyText(filtered: boolean, ended: boolean): string {
  if (filtered) return 'No line matches.';
  return ended ? 'This job logged nothing.' : 'Nothing was logged yet; lines appear here as the job writes them.';
}

function Lines({ lines, follow, empty }: { lines: readonly Line[]; follow: boolean; empty: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: 30,
  });
  useFollow(scroller, follow, lines.length);
  if (lines.length === 0) return <Text py="md">{empty}</Text>;
  const visible = virtualizer.getVirtualItems();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section ref={scroller} className="log" tabIndex={0} aria-label="log lines">
      <div style={{ height: virtualizer.getTotalSize() }}>
        <div style={{ transform: `translateY(${visible[0]?.start ?? 0}px)` }}>
          {visible.map(({ index, key }) => {
            const line = lines[index] as Line;
            return (
              <div
                key={key}
                data-index={index}
                ref={virtualizer.measureElement}
                className={line.is_error ? 'log-line log-error' : 'log-line'}
              >
                <span className="log-number" title={new Date(line.ts).toLocaleString()}>
                  {line.position + 1}
                </span>
                <span className="log-text">
                  {line.is_error && <span className="visually-hidden">error: </span>}
                  {line.late && <span className="class-tag">late</span>}
                  <AnsiText text={line.line} />
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** Stays at the end as long as the reader was there. */
function useFollow(scroller: RefObject<HTMLDivElement | null>, follow: boolean, count: number): void {
  const atEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the first line brings the element
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const scrolled = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 3 * LINE_PX;
    };
    element.addEventListener('scroll', scrolled, { passive: true });
    return () => element.removeEventListener('scroll', scrolled);
  }, [count === 0]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: every new line moves the end
  useEffect(() => {
    const element = scroller.current;
    if (follow && atEnd.current && element !== null) element.scrollTop = element.scrollHeight;
  }, [follow, count]);
}

const PAGE = 10_000;

function DownloadLog({ jobId }: { jobId: string }) {
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    const parts: string[] = [];
    for (let skip = 0, more = true; more; ) {
      const page = await call('getLogs', { job_id: jobId, skip, limit: PAGE });
      parts.push(page.lines.map(({ line }) => `${line}\n`).join(''));
      more = page.next > skip && page.next < page.total;
      skip = page.next;
    }
    saveText(`${jobId}.log`, 'text/plain', parts);
  };
  return (
    <Tooltip label="download the whole log">
      <ActionIcon
        variant="default"
        size="sm"
        loading={busy}
        aria-label="download the log"
        onClick={() => void download().finally(() => setBusy(false))}
      >
        <Icon name="down" size={14} />
      </ActionIcon>
    </Tooltip>
  );
}
