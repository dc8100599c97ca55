/** Cancelling cannot be taken back, so it is asked for twice. */
import { Alert, Button, Group, Modal, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { call, messageOf } from '../api/call.js';
import { number } from '../parts/states.js';

export type CancelWhat =
  | { readonly kind: 'batch'; readonly batchId: string; readonly unfinished: number }
  | { readonly kind: 'ids'; readonly ids: string[] };

interface Props {
  readonly what: CancelWhat;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function CancelDialog({ what, onClose, onDone }: Props) {
  const cancel = useMutation({
    mutationFn: () =>
      what.kind === 'batch'
        ? call('cancelBatch', { batch_id: what.batchId })
        : call('cancelJobs', { job_ids: what.ids.slice(0, 10_000) }),
    onSuccess: onDone,
  });
  const count = what.kind === 'batch' ? what.unfinished : what.ids.length;
  const done = cancel.data?.items;
  const ended = done?.reduce((sum, item) => sum + item.cancelled, 0) ?? 0;
  const refused = done?.filter((item) => item.error !== null) ?? [];
  return (
    <Modal opened onClose={onClose} title="Cancel" closeButtonProps={{ 'aria-label': 'close' }}>
      {done === undefined ? (
        <Text>
          {what.kind === 'batch'
            ? `Cancel the batch: its ${number(count)} unfinished items end now, and it takes no new ones.`
            : `Cancel ${number(count)} ${count === 1 ? 'job' : 'jobs'}.`}{' '}
          A cancelled item can be retried later.
        </Text>
      ) : (
        <Text role="status">
          {number(ended)} cancelled.
          {refused.length > 0 && ` ${number(refused.length)} refused: ${refused[0]?.error?.message}`}
        </Text>
      )}
      {cancel.error !== null && (
        <Alert color="red" mt="sm" role="alert">
          {messageOf(cancel.error)}
        </Alert>
      )}
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose}>
          {done === undefined ? 'Back' : 'Close'}
        </Button>
        {done === undefined && (
          <Button color="red" data-autofocus loading={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel {number(count)}
          </Button>
        )}
      </Group>
    </Modal>
  );
}
