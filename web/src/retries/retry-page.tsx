/** The receipts of one retry request, to be read again or sent to someone. */
import { Skeleton, Title } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useRead } from '../api/queries.js';
import { Refusals } from '../batch/retry-dialog.js';
import { Failed } from '../parts/text.js';
import { Receipts } from './receipts.js';

const route = getRouteApi('/app/retries/$requestId');

export default function RetryPage() {
  const { requestId } = route.useParams();
  const { data, error } = useRead('getReceipts', { request_id: requestId });
  return (
    <>
      <header className="page-head">
        <Title order={1}>Receipts</Title>
        <p className="dim">
          of the retry request <code>{requestId}</code>; kept for 7 days
        </p>
      </header>
      {error !== null && <Failed error={error} what="The receipts" />}
      {data === undefined && error === null && <Skeleton height={200} />}
      {data !== undefined && (
        <>
          {data.refused > 0 && <Refusals receipts={data.receipts} />}
          <Receipts result={data} />
        </>
      )}
    </>
  );
}
