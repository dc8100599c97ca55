import { EmptyState, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';

export function NotFound() {
  return (
    <>
      <Title order={1} className="visually-hidden">
        No such page
      </Title>
      <EmptyState mt="20vh" title="There is no such page" description="The address may have been cut short.">
        <Link to="/">All batches</Link>
      </EmptyState>
    </>
  );
}
