/** The next page of a list, while there is one. */
import { Button, Group } from '@mantine/core';

interface Paged {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  fetchNextPage(): unknown;
}

export function OlderButton({ list, what }: { list: Paged; what: string }) {
  if (!list.hasNextPage) return null;
  return (
    <Group justify="center" my="md">
      <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
        Older {what}
      </Button>
    </Group>
  );
}
