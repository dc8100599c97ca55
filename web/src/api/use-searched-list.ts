/** A list that a search box filters: page after page as it is wanted, and read anew when something happened. */
import { keepPreviousData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { filterOf, parseSearch, type Search } from '../parts/search.js';
import { useAsAdmin } from './as-admin.js';
import { useMe } from './queries.js';
import { useRefresh } from './use-refresh.js';

interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** What every list is asked with: the filters that all of them know, and where to read on. */
type Asked = ReturnType<typeof filterOf> & { readonly cursor?: string };

export function useSearchedList<T>(
  name: string,
  typed: string,
  read: (asked: Asked, search: Search) => Promise<Page<T>>,
) {
  const admin = useAsAdmin();
  const me = useMe().data?.user;
  const queries = useQueryClient();
  const search = parseSearch(typed);
  const list = useInfiniteQuery({
    queryKey: [name, typed, me, admin],
    queryFn: ({ pageParam }) =>
      read({ ...filterOf(search, me), ...(pageParam !== null && { cursor: pageParam }) }, search),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    enabled: me !== undefined,
  });
  useRefresh(() => queries.invalidateQueries({ queryKey: [name] }));
  return { list, me, search, items: list.data?.pages.flatMap((page) => page.items) ?? [] };
}
