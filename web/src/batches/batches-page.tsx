/** All batches one may see, newest first, kept up to date. */
import { Button, EmptyState, Group, Skeleton, Title } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { BatchView } from '../../../src/contract/schemas.js';
import { call } from '../api/call.js';
import { useSearchedList } from '../api/use-searched-list.js';
import { OlderButton } from '../parts/older-button.js';
import { SearchBox } from '../parts/search-box.js';
import { countGroups, countsSentence, number } from '../parts/states.js';
import { BatchBadge, ProgressBar } from '../parts/status.js';
import { Command, Failed, shortCommit } from '../parts/text.js';
import { Ago } from '../parts/time.js';
import { useListKeys } from '../parts/use-list-keys.js';

const route = getRouteApi('/app/');
const PAGE = 50;

export default function BatchesPage() {
  const { q = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const {
    list,
    me,
    search,
    items: batches,
  } = useSearchedList('listBatches', q, (asked, { text }) =>
    call('listBatches', { ...asked, ...(text !== '' && { search: text }), limit: PAGE }),
  );
  const { box, active } = useListKeys(
    batches.map((batch) => batch.batch_id),
    (batchId) => void navigate({ to: '/batches/$batchId', params: { batchId } }),
  );
  return (
    <>
      <Group justify="space-between" className="page-head">
        <Title order={1}>Batches</Title>
        <Button component={Link} to="/submit">
          Submit a batch
        </Button>
      </Group>
      <SearchBox
        ref={box}
        q={q}
        problems={search.problems}
        onChange={(next) => void navigate({ search: next === '' ? {} : { q: next }, replace: true })}
      />
      {list.error !== null && <Failed error={list.error} what="The list" />}
      {list.isPending && list.error === null && <Skeleton height={300} />}
      {list.isSuccess && batches.length === 0 && <NoBatches filtered={q !== ''} />}
      {batches.length > 0 && (
        <ul className="batch-list" aria-label="batches">
          {batches.map((batch) => (
            <BatchRow key={batch.batch_id} batch={batch} me={me} active={batch.batch_id === active} />
          ))}
        </ul>
      )}
      <OlderButton list={list} what="batches" />
    </>
  );
}

function BatchRow({ batch, me, active }: { batch: BatchView; me: string | undefined; active: boolean }) {
  const groups = countGroups(batch.counts);
  return (
    <li className={active ? 'batch-row row-active' : 'batch-row'} aria-current={active || undefined}>
      <div className="batch-name">
        <Link to="/batches/$batchId" params={{ batchId: batch.batch_id }} title={batch.batch_id}>
          {batch.name ?? `Batch ${batch.batch_id.slice(-8)}`}
        </Link>
        <BatchBadge state={batch.state} cancelled={batch.cancelled} />
      </div>
      <div className="batch-progress">
        <ProgressBar groups={groups} />
        <span className="batch-counts">
          {number(batch.items)} {batch.items === 1 ? 'item' : 'items'}: {countsSentence(groups)}
          {batch.retries > 0 && ` · ${number(batch.retries)} ${batch.retries === 1 ? 'retry' : 'retries'}`}
        </span>
      </div>
      <div className="batch-facts">
        <span>{batch.user === me ? 'you' : batch.user}</span>
        {batch.app !== null && (
          <code
            title={`${batch.app.method}@${batch.app.commit}`}
          >{`${batch.app.method}@${shortCommit(batch.app.commit)}`}</code>
        )}
        <Ago at={batch.created_at} />
      </div>
    </li>
  );
}

function NoBatches({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return (
      <EmptyState title="No batch matches" description="Take a term out of the search, or look without a filter." />
    );
  }
  return (
    <EmptyState
      title="No batch yet"
      description="A batch runs one method of an app on many inputs, and keeps the books of every retry."
    >
      <EmptyState.Actions>
        <Button component={Link} to="/submit">
          Submit a batch
        </Button>
      </EmptyState.Actions>
      <Command>reprise batch submit jobs.jsonl --method module.method</Command>
    </EmptyState>
  );
}
