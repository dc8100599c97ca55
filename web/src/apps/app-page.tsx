/** One app: its methods, versions and what runs of each now, its tags and where they pointed before. */
import { Group, Skeleton, Table, Title } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { AppDetail, JobSummary } from '../../../src/contract/schemas.js';
import { useRead } from '../api/queries.js';
import { number } from '../parts/states.js';
import { Facts, Failed, shortCommit } from '../parts/text.js';
import { Ago } from '../parts/time.js';

const route = getRouteApi('/app/apps/$module');

export default function AppPage() {
  const { module } = route.useParams();
  const { data, error } = useRead('getApp', { module });
  const unfinished = useRead('listJobs', {
    app: module,
    state: ['created', 'estimating', 'queued', 'running'],
    limit: 1000,
  });
  if (error !== null) return <Failed error={error} what="The app" />;
  if (data === undefined) return <Skeleton height={300} />;
  return (
    <>
      <header className="page-head">
        <Title order={1}>{data.module}</Title>
        <Facts
          facts={[
            ['repository', <code key="repository">{data.repository}</code>],
            [
              'added',
              <>
                <Ago at={data.added_at} /> by {data.added_by}
              </>,
            ],
          ]}
        />
      </header>
      <Methods app={data} />
      <Versions app={data} jobs={unfinished.data?.items ?? []} more={unfinished.data?.next_cursor != null} />
      <History app={data} />
    </>
  );
}

function Methods({ app }: { app: AppDetail }) {
  const methods = [...new Set(app.versions.flatMap((version) => version.methods))].sort();
  return (
    <section aria-label="methods">
      <Title order={2}>Methods</Title>
      <Group gap="sm" my="xs">
        {methods.map((method) => {
          const whole = method.startsWith(`${app.module}.`) ? method : `${app.module}.${method}`;
          return (
            <Link key={method} to="/submit" search={{ method: whole }}>
              {whole}
            </Link>
          );
        })}
      </Group>
    </section>
  );
}

function Versions({ app, jobs, more }: { app: AppDetail; jobs: readonly JobSummary[]; more: boolean }) {
  const running = (commit: string) => {
    const of = jobs.filter((job) => job.commit === commit);
    const now = of.filter((job) => job.status === 'running').length;
    return of.length === 0
      ? '–'
      : `${number(now)} running, ${number(of.length - now)} waiting${more ? ' or more' : ''}`;
  };
  return (
    <section aria-label="versions">
      <Title order={2}>Versions</Title>
      <Table.ScrollContainer minWidth={560}>
        <Table aria-label="versions">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Commit</Table.Th>
              <Table.Th>Tags</Table.Th>
              <Table.Th>Your jobs now</Table.Th>
              <Table.Th>Added</Table.Th>
              <Table.Th>State</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {app.versions.map((version) => (
              <Table.Tr key={version.commit}>
                <Table.Td>
                  <code title={version.commit}>{shortCommit(version.commit)}</code>
                </Table.Td>
                <Table.Td>
                  {app.tags
                    .filter((tag) => tag.commit === version.commit)
                    .map((tag) => (
                      <span key={tag.tag} className="class-tag">
                        {tag.tag}
                      </span>
                    ))}
                </Table.Td>
                <Table.Td>{running(version.commit)}</Table.Td>
                <Table.Td>
                  <Ago at={version.added_at} /> by {version.added_by}
                </Table.Td>
                <Table.Td>
                  {version.withdrawn_at === null ? (
                    'good'
                  ) : (
                    <span>
                      withdrawn <Ago at={version.withdrawn_at} /> by {version.withdrawn_by}
                      {version.withdrawn_reason !== null && `: ${version.withdrawn_reason}`}
                    </span>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </section>
  );
}

function History({ app }: { app: AppDetail }) {
  return (
    <section aria-label="history of tags">
      <Title order={2}>Where tags pointed</Title>
      <ul className="plain-list">
        {app.tag_history.map((move) => (
          <li key={`${move.tag} ${move.moved_at} ${move.to_commit}`}>
            <strong>{move.tag}</strong>{' '}
            <code title={move.from_commit ?? ''}>
              {move.from_commit === null ? 'new' : shortCommit(move.from_commit)}
            </code>{' '}
            → <code title={move.to_commit}>{shortCommit(move.to_commit)}</code>{' '}
            <span className="dim">
              <Ago at={move.moved_at} /> by {move.moved_by}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
