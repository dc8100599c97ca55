/** API tokens: one's own, and everyone's for admins. A token is shown once. */
import { Alert, Button, Code, Group, Modal, Select, Skeleton, Table, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { TokenCreated, TokenView } from '../../../src/contract/schemas.js';
import { call, messageOf } from '../api/call.js';
import { useMe, useRead } from '../api/queries.js';
import { CopyIcon, Failed } from '../parts/text.js';
import { Ago, exactTime, useNow } from '../parts/time.js';

export default function TokensPage() {
  const me = useMe().data;
  const { data, error } = useRead('listTokens', {});
  const queries = useQueryClient();
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<TokenView | null>(null);
  const reread = () => void queries.invalidateQueries({ queryKey: ['listTokens'] });
  return (
    <>
      <Group justify="space-between" className="page-head">
        <Title order={1}>Tokens</Title>
        <Button onClick={() => setMaking(true)}>Make a token</Button>
      </Group>
      {error !== null && <Failed error={error} what="The list of tokens" />}
      {data === undefined && error === null && <Skeleton height={200} />}
      {data !== undefined && (
        <Table.ScrollContainer minWidth={620}>
          <Table aria-label="tokens">
            <Table.Thead>
              <Table.Tr>
                {['User', 'Name', 'Made', 'Ends', 'State', ''].map((head) => (
                  <Table.Th key={head}>
                    {head === '' ? <span className="visually-hidden">actions</span> : head}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((token) => (
                <TokenRow key={token.token_id} token={token} onRevoke={() => setRevoking(token)} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {making && <MakeToken admin={me?.admin === 'write'} onClose={() => setMaking(false)} onDone={reread} />}
      {revoking !== null && <RevokeToken token={revoking} onClose={() => setRevoking(null)} onDone={reread} />}
    </>
  );
}

function TokenRow({ token, onRevoke }: { token: TokenView; onRevoke: () => void }) {
  const now = useNow();
  const ended = token.expires_at !== null && Date.parse(token.expires_at) < now;
  const state = token.revoked_at !== null ? 'revoked' : ended ? 'expired' : 'good';
  return (
    <Table.Tr>
      <Table.Td>{token.user}</Table.Td>
      <Table.Td>{token.name}</Table.Td>
      <Table.Td>
        <Ago at={token.created_at} /> by {token.created_by}
      </Table.Td>
      <Table.Td>{token.expires_at === null ? 'never' : exactTime(token.expires_at)}</Table.Td>
      <Table.Td>{state}</Table.Td>
      <Table.Td>
        {state === 'good' && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={onRevoke}
            aria-label={`revoke ${token.name || 'the token'} of ${token.user}`}
          >
            Revoke
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

const LIVES = {
  'for ever': null,
  'for a day': 86_400_000,
  'for a month': 30 * 86_400_000,
  'for a year': 365 * 86_400_000,
};

function MakeToken({ admin, onClose, onDone }: { admin: boolean; onClose: () => void; onDone: () => void }) {
  const [user, setUser] = useState('');
  const [name, setName] = useState('');
  const [role, setRole] = useState<string | null>('none');
  const [life, setLife] = useState<string>('for a year');
  const make = useMutation({
    mutationFn: () => {
      const ms = LIVES[life as keyof typeof LIVES];
      return call('createToken', {
        ...(user.trim() !== '' && { user: user.trim() }),
        ...(name.trim() !== '' && { name: name.trim() }),
        ...((role === 'read' || role === 'write') && { admin: role }),
        ...(ms !== null && { expires_in_ms: ms }),
      });
    },
    onSuccess: onDone,
  });
  return (
    <Modal opened onClose={onClose} title="Make a token" closeButtonProps={{ 'aria-label': 'close' }}>
      {make.data !== undefined ? (
        <Made token={make.data} onClose={onClose} />
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            make.mutate();
          }}
        >
          {admin && (
            <TextInput
              label="User"
              description="Made if there is none of that name. Empty: yourself."
              value={user}
              onChange={(event) => setUser(event.currentTarget.value)}
            />
          )}
          <TextInput
            mt="sm"
            label="Name"
            description="What it is for"
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          {admin && (
            <Select
              mt="sm"
              label="Admin role of the user"
              allowDeselect={false}
              data={['none', 'read', 'write']}
              value={role}
              onChange={setRole}
            />
          )}
          <Select
            mt="sm"
            label="Good"
            allowDeselect={false}
            data={Object.keys(LIVES)}
            value={life}
            onChange={(next) => next !== null && setLife(next)}
          />
          {make.error !== null && (
            <Alert color="red" mt="sm" role="alert">
              {messageOf(make.error)}
            </Alert>
          )}
          <Group justify="flex-end" mt="md">
            <Button type="submit" loading={make.isPending}>
              Make
            </Button>
          </Group>
        </form>
      )}
    </Modal>
  );
}

function Made({ token, onClose }: { token: TokenCreated; onClose: () => void }) {
  return (
    <>
      <Text role="status">The token of {token.user}. It is shown only now:</Text>
      <Group gap={4} wrap="nowrap" my="sm">
        <Code className="command">{token.token}</Code>
        <CopyIcon value={token.token} what="the token" />
      </Group>
      <Group justify="flex-end">
        <Button onClick={onClose}>Done</Button>
      </Group>
    </>
  );
}

function RevokeToken({ token, onClose, onDone }: { token: TokenView; onClose: () => void; onDone: () => void }) {
  const revoke = useMutation({
    mutationFn: () => call('revokeToken', { token_id: token.token_id }),
    onSuccess: () => {
      onDone();
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title="Revoke" closeButtonProps={{ 'aria-label': 'close' }}>
      <Text>
        Revoke the token “{token.name}” of {token.user}? What uses it is refused at once, sessions in browsers too.
      </Text>
      {revoke.error !== null && (
        <Alert color="red" mt="sm" role="alert">
          {messageOf(revoke.error)}
        </Alert>
      )}
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose}>
          Back
        </Button>
        <Button color="red" data-autofocus loading={revoke.isPending} onClick={() => revoke.mutate()}>
          Revoke
        </Button>
      </Group>
    </Modal>
  );
}
