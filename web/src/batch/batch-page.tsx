/** One batch: what became of its items, and what to do about those that failed. */
import { Alert, Button, Group, Menu, Skeleton, TextInput, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useMemo, useRef, useState } from 'react';
import type { BatchItem, BatchView } from '../../../src/contract/schemas.js';
import { batchState, isRetryable, isTerminal } from '../../../src/contract/status.js';
import { useMe, useRead } from '../api/queries.js';
import { Icon } from '../parts/icons.js';
import { countGroups, GROUPS, groupOf, type Group as ItemGroup, number } from '../parts/states.js';
import { BatchBadge, ProgressBar } from '../parts/status.js';
import { CopyIcon, Facts, Failed, shortCommit } from '../parts/text.js';
import { Ago } from '../parts/time.js';
import { CancelDialog, type CancelWhat } from './cancel-dialog.js';
import { countItems } from './items.js';
import { ItemsTable } from './items-table.js';
import { RetryDialog, type RetryWhat } from './retry-dialog.js';
import { useBatchKeys } from './use-batch-keys.js';
import { useItems } from './use-items.js';
import { useSelection } from './use-selection.js';

const Charts = lazy(() => import('./charts.js'));
const route = getRouteApi('/app/batches/$batchId');

export interface BatchSearch {
  readonly show?: ItemGroup | undefined;
  readonly q?: string | undefined;
  readonly sort?: string | undefined;
  readonly charts?: boolean | undefined;
}

export default function BatchPage() {
  const { batchId } = route.useParams();
  return <Batch key={batchId} batchId={batchId} />;
}

function Batch({ batchId }: { batchId: string }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const batch = useRead('getBatch', { batch_id: batchId });
  const reread = useCallback(() => void queries.invalidateQueries({ queryKey: ['getBatch'] }), [queries]);
  const { items, complete, error } = useItems(batchId, reread);
  const [retrying, setRetrying] = useState<RetryWhat | null>(null);
  const [cancelling, setCancelling] = useState<CancelWhat | null>(null);
  const box = useRef<HTMLInputElement>(null);

  const set = (next: Partial<BatchSearch>) =>
    void navigate({ search: (before) => cleaned({ ...before, ...next }), replace: true });
  const matching = useMemo(() => filtered(items.list, search), [items.list, search]);
  const selection = useSelection();
  const chosen = useMemo(
    () => items.list.filter((row) => selection.chosen.has(row.root_id)),
    [items.list, selection.chosen],
  );
  // until all rows are there the server's counts are the true ones
  const counts = complete || batch.data === undefined ? countItems(items.list) : batch.data.counts;
  const groups = countGroups(counts);
  const live = batch.data === undefined || !complete ? batch.data : asNow(batch.data, items.list);
  const keys = useBatchKeys({
    searchBox: box,
    rows: items.rows,
    toggle: (id) => selection.toggle(id, [id]),
    retry: (row) =>
      setRetrying(chosen.length > 0 ? chosenItems(chosen) : { kind: 'ids', ids: [row.job_id], label: 'item' }),
    clear: selection.clear,
  });

  if (batch.error !== null && batch.data === undefined) return <Failed error={batch.error} what="The batch" />;
  return (
    <>
      <Header batch={live} batchId={batchId} />
      <ProgressBar groups={groups} tall />
      <Tiles groups={groups} show={search.show} onShow={(show) => set({ show })} />
      {error !== null && !complete && <Failed error={error} what="The list of items" />}
      <Group justify="space-between" my="sm" gap="sm">
        <Group gap="xs">
          <RetryButton groups={groups} batchId={batchId} chosen={chosen} matching={matching} onPick={setRetrying} />
          <CancelButton groups={groups} batchId={batchId} chosen={chosen} onPick={setCancelling} />
          <Button
            variant="default"
            aria-pressed={search.charts === true}
            onClick={() => set({ charts: !search.charts })}
          >
            Charts
          </Button>
        </Group>
        <TextInput
          ref={box}
          className="search-narrow"
          aria-label="search items"
          placeholder="search items  ( / )"
          leftSection={<Icon name="search" />}
          value={search.q ?? ''}
          onChange={(event) => set({ q: event.currentTarget.value })}
        />
      </Group>
      {search.charts && (
        <Suspense fallback={<Skeleton height={220} />}>
          <Charts batchId={batchId} revision={counts.completed + counts.error + counts.terminated} />
        </Suspense>
      )}
      <SelectionBar
        chosen={chosen}
        matching={matching}
        onAll={() => selection.toggleAll(matching.map((row) => row.root_id))}
        onClear={selection.clear}
      />
      <ItemsTable
        rows={matching}
        total={items.list.length}
        loading={!complete}
        sort={search.sort}
        onSort={(sort) => set({ sort })}
        selection={selection}
        active={keys.active}
        onOrder={keys.setOrder}
        onClearFilter={() => set({ q: undefined, show: undefined })}
      />
      {retrying !== null && <RetryDialog what={retrying} onClose={() => setRetrying(null)} onDone={selection.clear} />}
      {cancelling !== null && <CancelDialog what={cancelling} onClose={() => setCancelling(null)} onDone={reread} />}
    </>
  );
}

/** What the server said, with what the rows say since. */
function asNow(batch: BatchView, list: readonly BatchItem[]): BatchView {
  const counts = countItems(list);
  const retries = list.reduce((sum, row) => sum + row.retry_number, 0);
  return { ...batch, counts, retries, items: list.length, state: batchState(counts) };
}

/** Only what differs from nothing stands in the address. */
function cleaned(search: BatchSearch): BatchSearch {
  return Object.fromEntries(
    Object.entries(search).filter(([, value]) => value !== undefined && value !== '' && value !== false),
  );
}

function filtered(list: readonly BatchItem[], { show, q }: BatchSearch): readonly BatchItem[] {
  const words = (q ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (show === undefined && words.length === 0) return list;
  return list.filter((row) => {
    if (show !== undefined && groupOf(row.status) !== show) return false;
    if (words.length === 0) return true;
    const text = `${row.params_start ?? ''} ${row.error_start ?? ''} ${row.method} ${row.commit} ${row.job_id} ${row.root_id}`;
    const lower = text.toLowerCase();
    return words.every((word) => lower.includes(word));
  });
}

function Header({ batch, batchId }: { batch: BatchView | undefined; batchId: string }) {
  const me = useMe();
  const { app } = batch ?? {};
  return (
    <header className="page-head">
      <Group gap="sm" align="baseline">
        <Title order={1}>{batch?.name ?? `Batch ${batchId.slice(-8)}`}</Title>
        {batch !== undefined && <BatchBadge state={batch.state} cancelled={batch.cancelled} />}
      </Group>
      <Facts
        facts={[
          [
            'id',
            <Group key="id" gap={2} component="span">
              <code>{batchId}</code>
              <CopyIcon value={batchId} what="the batch id" />
            </Group>,
          ],
          ['by', batch === undefined ? '…' : `${batch.user}${batch.user === me.data?.user ? ' (you)' : ''}`],
          [
            'runs',
            app == null ? (
              '…'
            ) : (
              <code
                key="app"
                title={app.commit}
              >{`${app.method}@${shortCommit(app.commit)}${app.tag === null ? '' : ` (${app.tag})`}`}</code>
            ),
          ],
          ['submitted', batch === undefined ? '…' : <Ago key="at" at={batch.created_at} />],
          ['retries', batch === undefined ? '…' : number(batch.retries)],
        ]}
      />
      {batch?.cancelled && (
        <Alert color="gray" mt="xs" p="xs">
          This batch was cancelled: it takes no new items. Its items can still be retried.
        </Alert>
      )}
    </header>
  );
}

function Tiles(props: {
  groups: Readonly<Record<ItemGroup, number>>;
  show: ItemGroup | undefined;
  onShow: (show: ItemGroup | undefined) => void;
}) {
  const { groups, show, onShow } = props;
  return (
    <fieldset className="tiles">
      <legend className="visually-hidden">Show only</legend>
      {GROUPS.map((group) => (
        <button
          key={group}
          type="button"
          className={`tile tile-${group}`}
          aria-pressed={show === group}
          onClick={() => onShow(show === group ? undefined : group)}
        >
          <span className="tile-count">{number(groups[group])}</span>
          <span className="tile-word">{group}</span>
        </button>
      ))}
    </fieldset>
  );
}

const chosenItems = (chosen: readonly BatchItem[]): RetryWhat => ({
  kind: 'ids',
  ids: chosen.map((row) => row.job_id),
  label: 'selected',
});

interface RetryButtonProps {
  readonly groups: Readonly<Record<ItemGroup, number>>;
  readonly batchId: string;
  readonly chosen: readonly BatchItem[];
  readonly matching: readonly BatchItem[];
  readonly onPick: (what: RetryWhat) => void;
}

/** The number on the button is what the button does. */
function RetryButton({ groups, batchId, chosen, matching, onPick }: RetryButtonProps) {
  const failed: RetryWhat = { kind: 'batch', batchId, states: ['error'], label: 'failed' };
  const ended: RetryWhat = { kind: 'batch', batchId, states: ['error', 'terminated'], label: 'failed and cancelled' };
  const retryable = matching.filter((row) => isRetryable(row.status));
  const eligible = chosen.filter((row) => isRetryable(row.status));
  const both = groups.failed + groups.cancelled;
  return (
    <Group gap={0} wrap="nowrap">
      {chosen.length > 0 ? (
        <Button className="split-main" disabled={eligible.length === 0} onClick={() => onPick(chosenItems(chosen))}>
          Retry {number(eligible.length)} selected
        </Button>
      ) : (
        <Button className="split-main" disabled={groups.failed === 0} onClick={() => onPick(failed)}>
          Retry {number(groups.failed)} failed
        </Button>
      )}
      <Menu position="bottom-start" withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <Button
            className="split-more"
            px={8}
            aria-label="what to retry"
            disabled={both === 0 && eligible.length === 0}
          >
            <Icon name="down" />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item disabled={groups.failed === 0} onClick={() => onPick(failed)}>
            {number(groups.failed)} failed
          </Menu.Item>
          <Menu.Item disabled={both === 0} onClick={() => onPick(ended)}>
            {number(both)} failed and cancelled
          </Menu.Item>
          <Menu.Item disabled={eligible.length === 0} onClick={() => onPick(chosenItems(chosen))}>
            {number(eligible.length)} selected
          </Menu.Item>
          <Menu.Item
            disabled={retryable.length === 0}
            onClick={() => onPick({ kind: 'ids', ids: retryable.map((row) => row.job_id), label: 'matching' })}
          >
            {number(retryable.length)} matching the filter
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

interface CancelButtonProps {
  readonly groups: Readonly<Record<ItemGroup, number>>;
  readonly batchId: string;
  readonly chosen: readonly BatchItem[];
  readonly onPick: (what: CancelWhat) => void;
}

function CancelButton({ groups, batchId, chosen, onPick }: CancelButtonProps) {
  const unfinished = groups.running + groups.waiting;
  const eligible = chosen.filter((row) => !isTerminal(row.status));
  if (chosen.length > 0) {
    const ids = eligible.map((row) => row.job_id);
    return (
      <Button variant="default" disabled={ids.length === 0} onClick={() => onPick({ kind: 'ids', ids })}>
        Cancel {number(ids.length)} selected
      </Button>
    );
  }
  return (
    <Button
      variant="default"
      disabled={unfinished === 0}
      onClick={() => onPick({ kind: 'batch', batchId, unfinished })}
    >
      Cancel {number(unfinished)} unfinished
    </Button>
  );
}

interface SelectionBarProps {
  readonly chosen: readonly BatchItem[];
  readonly matching: readonly BatchItem[];
  readonly onAll: () => void;
  readonly onClear: () => void;
}

function SelectionBar({ chosen, matching, onAll, onClear }: SelectionBarProps) {
  if (chosen.length === 0) return null;
  return (
    <output className="selection-bar">
      <span>{number(chosen.length)} selected</span>
      {chosen.length < matching.length && (
        <Button size="compact-sm" variant="subtle" onClick={onAll}>
          Select all {number(matching.length)} matching
        </Button>
      )}
      <Button size="compact-sm" variant="subtle" onClick={onClear}>
        Clear selection
      </Button>
    </output>
  );
}
