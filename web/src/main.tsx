import '@mantine/core/styles.css';
import './styles.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createQueryClient } from './api/queries.js';
import { createAppRouter } from './routes.js';
import { theme } from './theme.js';

// the server puts a new nonce into each page: style elements without it are not obeyed
const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? '';
setNonce(nonce);

const queries = createQueryClient(() => {
  const { pathname, search } = window.location;
  if (pathname !== '/sign-in') void router.navigate({ to: '/sign-in', search: { next: pathname + search } });
});
const router = createAppRouter();

// the server was upgraded under an open tab: its parts have new names now. Once a minute, so that it cannot go in circles
window.addEventListener('vite:preloadError', () => {
  const last = Number(sessionStorage.getItem('reprise.reloaded') ?? 0);
  if (Date.now() - last < 60_000) return;
  sessionStorage.setItem('reprise.reloaded', String(Date.now()));
  window.location.reload();
});

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
