/** Keyset pages, read one after the other. */

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

const MOST_A_PAGE = 1000;

/** The first `most` items; `next_cursor` is that of the last page read. */
export async function allPages<T>(
  read: (at: { limit: number; cursor?: string }) => Promise<Page<T>>,
  most: number,
): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const limit = Math.min(most - items.length, MOST_A_PAGE);
    const page: Page<T> = await read({ limit, ...(cursor !== null && { cursor }) });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < most);
  return { items, next_cursor: cursor };
}
