/** Keyset pages, read one after the other. */

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** The first `most` items; `next_cursor` is that of the last page read. */
export async function allPages<T>(
  read: (at: { limit: number; cursor?: string }) => Promise<Page<T>>,
  most: number,
  mostAPage = 1000,
): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const limit = Math.min(most - items.length, mostAPage);
    const page: Page<T> = await read({ limit, ...(cursor !== null && { cursor }) });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < most);
  return { items, next_cursor: cursor };
}
