/** What is around every page: where one is, who one is, whether the page is live. */
import { ActionIcon, AppShell, Burger, Group, Menu, Switch, Tooltip, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { setAsAdmin, useAsAdmin } from '../api/as-admin.js';
import { callSession } from '../api/call.js';
import { useMe } from '../api/queries.js';
import { Icon } from '../parts/icons.js';
import { useKeys } from '../parts/use-keys.js';
import { ConnectionSign } from './connection.js';

const Help = lazy(() => import('./help.js'));

const PAGES = [
  { to: '/', word: 'Batches', key: 'B' },
  { to: '/jobs', word: 'Jobs', key: 'J' },
  { to: '/submit', word: 'Submit', key: 'S' },
  { to: '/apps', word: 'Apps', key: 'A' },
  { to: '/tokens', word: 'Tokens', key: 'T' },
  { to: '/workspaces', word: 'Workspaces', key: 'W' },
] as const;

export function Shell() {
  const [opened, { toggle, close }] = useDisclosure();
  const [help, setHelp] = useState(false);
  const admin = useAsAdmin();
  const navigate = useNavigate();
  const path = useRouterState({ select: (state) => state.location.pathname });
  useKeys([
    ['shift+?', () => setHelp(true)],
    ['?', () => setHelp(true)],
    ...PAGES.map(({ to, key }) => [`shift+${key}`, () => void navigate({ to })] as const),
  ]);
  useTitle(path);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 180, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label="pages"
              aria-expanded={opened}
            />
            <Link to="/" className="brand">
              Reprise
            </Link>
            <ConnectionSign />
          </Group>
          <Group gap="xs" wrap="nowrap">
            <ThemeButton />
            <Tooltip label="keyboard shortcuts ( ? )">
              <ActionIcon
                variant="subtle"
                color="gray"
                className="not-on-phone"
                aria-label="keyboard shortcuts"
                onClick={() => setHelp(true)}
              >
                <Icon name="help" />
              </ActionIcon>
            </Tooltip>
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="pages">
        {PAGES.map(({ to, word, key }) => (
          <Link
            key={to}
            to={to}
            className="nav-link"
            activeOptions={{ exact: to === '/' }}
            aria-keyshortcuts={`Shift+${key}`}
            onClick={close}
          >
            {word}
          </Link>
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main">
        <Outlet key={String(admin)} />
      </AppShell.Main>
      {help && (
        <Suspense fallback={null}>
          <Help onClose={() => setHelp(false)} />
        </Suspense>
      )}
    </AppShell>
  );
}

/** Screen readers and the list of tabs say where one is. */
function useTitle(path: string): void {
  useEffect(() => {
    const [, part = '', id = ''] = path.split('/');
    const word = part === '' ? 'batches' : part;
    document.title = `${id === '' ? word : `${word} ${id.length > 16 ? `…${id.slice(-8)}` : id}`} · Reprise`;
  }, [path]);
}

function ThemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = { auto: 'light', light: 'dark', dark: 'auto' } as const;
  return (
    <Tooltip label={`colours: ${colorScheme}`}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={`colours: ${colorScheme}; change to ${next[colorScheme]}`}
        onClick={() => setColorScheme(next[colorScheme])}
      >
        <Icon name="sun" />
      </ActionIcon>
    </Tooltip>
  );
}

function UserMenu() {
  const me = useMe();
  const admin = useAsAdmin();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const signOut = async () => {
    await callSession('DELETE').catch(() => {});
    setAsAdmin(false);
    queries.clear();
    await navigate({ to: '/sign-in' });
  };
  if (me.data === undefined) return null;
  const role = me.data.admin;
  return (
    <>
      {role !== 'none' && (
        <Switch
          size="sm"
          label="as admin"
          className="admin-switch"
          checked={admin}
          onChange={(event) => {
            setAsAdmin(event.currentTarget.checked);
            void queries.invalidateQueries();
          }}
        />
      )}
      <Menu position="bottom-end" withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <button type="button" className="user-button">
            {me.data.user}
            <Icon name="down" size={12} />
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{role === 'none' ? 'no admin role' : `${role} admin`}</Menu.Label>
          <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
