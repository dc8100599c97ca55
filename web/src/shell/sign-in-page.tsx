/** A token, or a link that is good once. The token goes to the server and stays there in a cookie scripts cannot read. */
import { Alert, Button, Loader, Paper, PasswordInput, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { callSession, messageOf } from '../api/call.js';
import { Command } from '../parts/text.js';

const route = getRouteApi('/sign-in');

/** Taken out of the address at once, so that it is in no history; read once, because it is good once. */
let taken: string | null = null;
function takeCode(): string | null {
  const code = new URLSearchParams(window.location.hash.slice(1)).get('once');
  if (code !== null) {
    taken = code;
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
  }
  const result = taken;
  taken = null;
  return result;
}

export default function SignInPage() {
  const { next = '/' } = route.useSearch();
  const router = useRouter();
  const queries = useQueryClient();
  const [token, setToken] = useState('');
  const signIn = useMutation({
    mutationFn: (body: object) => callSession('POST', body),
    onSuccess: () => {
      queries.clear();
      router.history.push(next);
    },
  });
  const { mutate } = signIn;
  useEffect(() => {
    const code = takeCode();
    if (code !== null) mutate({ once: code });
  }, [mutate]);
  useEffect(() => {
    document.title = 'sign in · Reprise';
  }, []);
  return (
    <main className="sign-in">
      <Paper withBorder p="xl" radius="md" maw={460} mx="auto">
        <Title order={1} mb="md">
          Reprise
        </Title>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            mutate({ token });
          }}
        >
          <PasswordInput
            label="Token"
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
          />
          {signIn.error !== null && (
            <Alert color="red" mt="md" role="alert">
              {messageOf(signIn.error)}
            </Alert>
          )}
          <Button type="submit" mt="md" fullWidth disabled={signIn.isPending}>
            {signIn.isPending ? <Loader role="status" size="sm" aria-label="signing in" /> : 'Sign in'}
          </Button>
        </form>
        <Text mt="lg" size="sm">
          No token? On the server's machine this prints a link that signs you in; elsewhere ask an admin for one.
        </Text>
        <Command>reprise ui</Command>
      </Paper>
    </main>
  );
}
