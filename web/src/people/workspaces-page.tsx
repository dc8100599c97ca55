/** Workspaces: who may see and run whose jobs. */
import { Alert, Button, EmptyState, Group, Select, Skeleton, Table, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { WorkspaceView } from '../../../src/contract/schemas.js';
import { useAsAdmin } from '../api/as-admin.js';
import { call, messageOf } from '../api/call.js';
import { useRead } from '../api/queries.js';
import { Command, Failed } from '../parts/text.js';

export default function WorkspacesPage() {
  const { data, error } = useRead('listWorkspaces', {});
  return (
    <>
      <div className="page-head">
        <Title order={1}>Workspaces</Title>
      </div>
      <NewWorkspace />
      {error !== null && <Failed error={error} what="The list of workspaces" />}
      {data === undefined && error === null && <Skeleton height={200} />}
      {data?.items.length === 0 && (
        <EmptyState
          title="No workspace yet"
          description="In a workspace people see and retry each other's jobs. Whoever makes one is its admin:"
        >
          <Command>reprise workspace create lab</Command>
        </EmptyState>
      )}
      {data?.items.map((workspace) => (
        <Workspace key={workspace.wsid} workspace={workspace} />
      ))}
    </>
  );
}

const useReread = () => {
  const queries = useQueryClient();
  return () => void queries.invalidateQueries({ queryKey: ['listWorkspaces'] });
};

function NewWorkspace() {
  const [name, setName] = useState('');
  const reread = useReread();
  const make = useMutation({
    mutationFn: () => call('createWorkspace', { name: name.trim() }),
    onSuccess: () => {
      setName('');
      reread();
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate();
      }}
    >
      <Group align="end" mb="md">
        <TextInput
          label="New workspace"
          placeholder="name"
          value={name}
          error={make.error === null ? undefined : messageOf(make.error)}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" disabled={name.trim() === ''} loading={make.isPending}>
          Make
        </Button>
      </Group>
    </form>
  );
}

const ROLES = ['read', 'write', 'admin', 'none'] as const;
type Role = (typeof ROLES)[number];

function Workspace({ workspace }: { workspace: WorkspaceView }) {
  const { wsid, name, members, role } = workspace;
  const mayShare = useAsAdmin() || role === 'admin';
  const reread = useReread();
  const [user, setUser] = useState('');
  const share = useMutation({
    mutationFn: (who: { user: string; role: Role }) => call('shareWorkspace', { wsid, ...who }),
    onSuccess: () => {
      setUser('');
      reread();
    },
  });
  return (
    <section className="card" aria-label={`workspace ${name}`}>
      <Group justify="space-between">
        <Title order={2}>
          {name} <span className="dim">#{wsid}</span>
        </Title>
        <Link to="/" search={{ q: `ws:${wsid}` }}>
          its batches
        </Link>
      </Group>
      <Table aria-label={`members of ${name}`} maw={480}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Member</Table.Th>
            <Table.Th>Role</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {members.map((member) => (
            <Table.Tr key={member.user}>
              <Table.Td>{member.user === '*' ? 'everyone' : member.user}</Table.Td>
              <Table.Td>
                {mayShare ? (
                  <Select
                    size="xs"
                    aria-label={`role of ${member.user}`}
                    allowDeselect={false}
                    data={[...ROLES]}
                    value={member.role}
                    onChange={(next) => next !== null && share.mutate({ user: member.user, role: next as Role })}
                  />
                ) : (
                  member.role
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {mayShare && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            share.mutate({ user: user.trim(), role: 'read' });
          }}
        >
          <Group align="end" mt="xs">
            <TextInput
              size="xs"
              label={`Add to ${name}`}
              description="* is everyone, to read"
              value={user}
              onChange={(event) => setUser(event.currentTarget.value)}
            />
            <Button size="xs" type="submit" variant="default" disabled={user.trim() === ''}>
              Add to read
            </Button>
          </Group>
        </form>
      )}
      {share.error !== null && (
        <Alert color="red" mt="sm" role="alert">
          {messageOf(share.error)}
        </Alert>
      )}
    </section>
  );
}
