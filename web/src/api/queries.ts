/** What pages read, with the keys under which it is kept. */
import { QueryCache, QueryClient, useQuery } from '@tanstack/react-query';
import type { RestName, RestParams, RestResult } from '../../../src/contract/operations.js';
import { useAsAdmin } from './as-admin.js';
import { call, isSignedOut } from './call.js';

export function createQueryClient(onSignedOut: () => void): QueryClient {
  const refused = (error: unknown) => (error as { code?: string }).code !== 'UNAVAILABLE';
  return new QueryClient({
    queryCache: new QueryCache({ onError: (error) => isSignedOut(error) && onSignedOut() }),
    defaultOptions: {
      // the stream says when something has changed; a refusal will be one the next time too
      queries: { staleTime: 5_000, retry: (count, error) => !refused(error) && count < 3 },
    },
  });
}

/** An operation as a query. `enabled` false waits. */
export function useRead<N extends RestName>(name: N, params: RestParams<N>, options: { enabled?: boolean } = {}) {
  const admin = useAsAdmin();
  return useQuery<RestResult<N>>({
    queryKey: [name, params, admin],
    queryFn: () => call(name, params),
    ...options,
  });
}

export const useMe = () => useRead('whoAmI', {});
