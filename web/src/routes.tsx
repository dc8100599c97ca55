/** The pages and their addresses. Every filter stands in the address; each page is loaded when it is first opened. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import type { BatchSearch } from './batch/batch-page.js';
import { GROUPS } from './parts/states.js';
import { NotFound } from './shell/not-found.js';
import { Shell } from './shell/shell.js';

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
const oneOf = <T extends string>(values: readonly T[], value: unknown): T | undefined =>
  values.find((one) => one === value);

const withQ = (search: Record<string, unknown>): { q?: string } => {
  const q = text(search.q);
  return q === undefined ? {} : { q };
};

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { next?: string } => {
    // only a place of ours
    const next = text(search.next);
    return next !== undefined && /^\/(?![/\\])/.test(next) ? { next } : {};
  },
  component: lazyRouteComponent(() => import('./shell/sign-in-page.js')),
});
const app = createRoute({ getParentRoute: () => root, id: 'app', component: Shell });
const child = () => app;

const batches = createRoute({
  getParentRoute: child,
  path: '/',
  validateSearch: withQ,
  component: lazyRouteComponent(() => import('./batches/batches-page.js')),
});
const batch = createRoute({
  getParentRoute: child,
  path: '/batches/$batchId',
  validateSearch: (search: Record<string, unknown>): BatchSearch => {
    const show = oneOf(GROUPS, search.show);
    const sort = text(search.sort);
    return {
      ...withQ(search),
      ...(show !== undefined && { show }),
      ...(sort !== undefined && { sort }),
      ...(search.charts === true && { charts: true }),
    };
  },
  component: lazyRouteComponent(() => import('./batch/batch-page.js')),
});
const jobs = createRoute({
  getParentRoute: child,
  path: '/jobs',
  validateSearch: withQ,
  component: lazyRouteComponent(() => import('./jobs/jobs-page.js')),
});
const TABS = ['inputs', 'output', 'dispatches'] as const;
const job = createRoute({
  getParentRoute: child,
  path: '/jobs/$jobId',
  validateSearch: (search: Record<string, unknown>): { tab?: (typeof TABS)[number] } => {
    const tab = oneOf(TABS, search.tab);
    return tab === undefined ? {} : { tab };
  },
  component: lazyRouteComponent(() => import('./job/job-page.js')),
});
const retry = createRoute({
  getParentRoute: child,
  path: '/retries/$requestId',
  component: lazyRouteComponent(() => import('./retries/retry-page.js')),
});
const submit = createRoute({
  getParentRoute: child,
  path: '/submit',
  validateSearch: (search: Record<string, unknown>): { method?: string } => {
    const method = text(search.method);
    return method === undefined ? {} : { method };
  },
  component: lazyRouteComponent(() => import('./submit/submit-page.js')),
});
const apps = createRoute({
  getParentRoute: child,
  path: '/apps',
  component: lazyRouteComponent(() => import('./apps/apps-page.js')),
});
const appDetail = createRoute({
  getParentRoute: child,
  path: '/apps/$module',
  component: lazyRouteComponent(() => import('./apps/app-page.js')),
});
const tokens = createRoute({
  getParentRoute: child,
  path: '/tokens',
  component: lazyRouteComponent(() => import('./people/tokens-page.js')),
});
const workspaces = createRoute({
  getParentRoute: child,
  path: '/workspaces',
  component: lazyRouteComponent(() => import('./people/workspaces-page.js')),
});

const tree = root.addChildren([
  signIn,
  app.addChildren([batches, batch, jobs, job, retry, submit, apps, appDetail, tokens, workspaces]),
]);

export const createAppRouter = () => createRouter({ routeTree: tree, defaultPreload: false, scrollRestoration: true });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
