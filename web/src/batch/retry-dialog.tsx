/**
 * First the plan (a dry run: the very verdicts the call would give), then the call, then its receipts. The request id is
 * made once per dialog: pressing again after a lost connection repeats the question, never the retry.
 */
import { Alert, Button, Group, Loader, Modal, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Receipt, RetryResult } from '../../../src/contract/schemas.js';
import type { Status } from '../../../src/contract/status.js';
import { call, messageOf, newRequestId } from '../api/call.js';
import { number } from '../parts/states.js';
import { Receipts } from '../retries/receipts.js';

export type RetryWhat =
  | { readonly kind: 'batch'; readonly batchId: string; readonly states: Status[]; readonly label: string }
  | { readonly kind: 'ids'; readonly ids: string[]; readonly label: string };

/** As many as one call takes. */
const AT_MOST = 10_000;

interface Options {
  readonly dry_run?: boolean;
  readonly reason?: string;
  readonly request_id?: string;
}

function ask(what: RetryWhat, options: Options): Promise<RetryResult> {
  if (what.kind === 'batch') return call('retryBatch', { batch_id: what.batchId, states: what.states, ...options });
  return call('retryJobs', { job_ids: what.ids.slice(0, AT_MOST), ...options });
}

interface Props {
  readonly what: RetryWhat;
  readonly onClose: () => void;
  readonly onDone: (result: RetryResult) => void;
}

export function RetryDialog({ what, onClose, onDone }: Props) {
  const [reason, setReason] = useState('');
  const [requestId] = useState(newRequestId);
  const plan = useQuery({
    queryKey: ['retry-plan', requestId],
    queryFn: () => ask(what, { dry_run: true }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const retry = useMutation({
    mutationFn: () => ask(what, { request_id: requestId, ...(reason.trim() !== '' && { reason: reason.trim() }) }),
    onSuccess: onDone,
  });
  const result = retry.data;
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={result === undefined ? 'Retry' : 'Receipts'}
      closeButtonProps={{ 'aria-label': 'close' }}
    >
      {result !== undefined ? (
        <Done result={result} onClose={onClose} />
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            retry.mutate();
          }}
        >
          {plan.isPending && <Loader role="status" aria-label="asking what would be accepted" />}
          {plan.error !== null && <Alert color="red">{messageOf(plan.error)}</Alert>}
          {plan.data !== undefined && <Plan plan={plan.data} what={what} />}
          <TextInput
            my="md"
            data-autofocus
            label="Reason (optional, kept with the books)"
            maxLength={2000}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          {retry.error !== null && (
            <Alert color="red" mb="md" role="alert" title="The retry was not confirmed">
              {messageOf(retry.error)} Press the button again: what was recorded is not repeated.
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Back
            </Button>
            <Button type="submit" loading={retry.isPending} disabled={(plan.data?.accepted ?? 0) === 0}>
              Retry {number(plan.data?.accepted ?? 0)}
            </Button>
          </Group>
        </form>
      )}
    </Modal>
  );
}

function Plan({ plan, what }: { plan: RetryResult; what: RetryWhat }) {
  const cut = what.kind === 'ids' ? what.ids.length - AT_MOST : 0;
  return (
    <>
      <Text>
        Of {number(plan.receipts.length)} {what.label}, <strong>{number(plan.accepted)}</strong> would be retried with
        the inputs, app version and requirements they had
        {plan.refused > 0 ? `, and ${number(plan.refused)} refused:` : '.'}
      </Text>
      {plan.refused > 0 && <Refusals receipts={plan.receipts} />}
      {cut > 0 && (
        <Alert color="yellow" mt="sm">
          One call takes {number(AT_MOST)} items. {number(cut)} are left for a second call.
        </Alert>
      )}
    </>
  );
}

/** By reason, most frequent first, each with one sentence as an example. */
export function Refusals({ receipts }: { receipts: readonly Receipt[] }) {
  const groups = new Map<string, Receipt[]>();
  for (const receipt of receipts) {
    if (receipt.code === null) continue;
    const alike = groups.get(receipt.code);
    if (alike === undefined) groups.set(receipt.code, [receipt]);
    else alike.push(receipt);
  }
  return (
    <ul className="refusals">
      {[...groups]
        .sort(([, a], [, b]) => b.length - a.length)
        .map(([code, [first, ...others]]) => (
          <li key={code}>
            <strong>{number(others.length + 1)}</strong> <code>{code}</code>{' '}
            <span className="dim">
              {others.length > 0 && 'e.g. '}
              {first?.message}
            </span>
            {code === 'IN_FLIGHT' && first?.blocking_id != null && (
              <>
                {' '}
                <Link to="/jobs/$jobId" params={{ jobId: first.blocking_id }}>
                  see the job in flight
                </Link>
              </>
            )}
          </li>
        ))}
    </ul>
  );
}

function Done({ result, onClose }: { result: RetryResult; onClose: () => void }) {
  return (
    <>
      <Receipts result={result} />
      <Group justify="space-between" mt="md">
        {result.request_id === null ? (
          <span />
        ) : (
          <Link to="/retries/$requestId" params={{ requestId: result.request_id }}>
            Page of these receipts
          </Link>
        )}
        <Button data-autofocus onClick={onClose}>
          Close
        </Button>
      </Group>
    </>
  );
}
