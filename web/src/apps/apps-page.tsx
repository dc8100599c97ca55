/** Apps and where their tags point. */
import { EmptyState, Skeleton, Table, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useRead } from '../api/queries.js';
import { Command, Failed, shortCommit } from '../parts/text.js';
import { Ago } from '../parts/time.js';

export default function AppsPage() {
  const { data, error } = useRead('listApps', {});
  return (
    <>
      <div className="page-head">
        <Title order={1}>Apps</Title>
      </div>
      {error !== null && <Failed error={error} what="The list of apps" />}
      {data === undefined && error === null && <Skeleton height={200} />}
      {data?.items.length === 0 && (
        <EmptyState
          title="No app yet"
          description="An app is a git repository with a reprise.json. A write admin adds it:"
        >
          <Command>reprise app add /path/to/repository --tag release</Command>
        </EmptyState>
      )}
      {data !== undefined && data.items.length > 0 && (
        <Table aria-label="apps">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Module</Table.Th>
              <Table.Th>Tags</Table.Th>
              <Table.Th className="cell-wide">Repository</Table.Th>
              <Table.Th className="cell-wide">Added</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.items.map((app) => (
              <Table.Tr key={app.module}>
                <Table.Td>
                  <Link to="/apps/$module" params={{ module: app.module }}>
                    {app.module}
                  </Link>
                </Table.Td>
                <Table.Td>
                  {app.tags.map((tag) => (
                    <span key={tag.tag} className="class-tag" title={`${tag.commit}\nmoved by ${tag.moved_by}`}>
                      {tag.tag} → {shortCommit(tag.commit)}
                    </span>
                  ))}
                </Table.Td>
                <Table.Td className="cell-wide">
                  <code>{app.repository}</code>
                </Table.Td>
                <Table.Td className="cell-wide">
                  <Ago at={app.added_at} /> by {app.added_by}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </>
  );
}
