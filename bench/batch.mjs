/** A batch through a server, from the call to the last recorded end. */

/** Each look at the batch is work for the server that is measured: few while much is left, many near the end. */
const POLL_MS = { least: 20, most: 500 };

/** `true` leaves no output, so each of its jobs is recorded as an error of class output: a whole job all the same. */
export async function runBatch(client, { count, method, params = () => undefined }) {
  const jobs = Array.from({ length: count }, (_, n) => ({ method, params: params(n) }));
  const { batch_id: batchId } = await client.call('submitBatch', { jobs });
  await lookUntilNone(async () => {
    const { counts } = await client.call('getBatch', { batch_id: batchId });
    const left = count - counts.completed - counts.error;
    if (left === 0) check(method, counts);
    return left;
  }, count);
}

/** `look` says how many are left, of `count`. */
export async function lookUntilNone(look, count) {
  const begun = performance.now();
  for (;;) {
    const left = await look();
    if (left === 0) return;
    const pace = (performance.now() - begun) / Math.max(1, count - left);
    const pause = Math.max(POLL_MS.least, Math.min(POLL_MS.most, (left * pace) / 2));
    await new Promise((done) => setTimeout(done, pause));
  }
}

function check(method, { completed, error }) {
  const wrong = method === 'bench.true' ? completed : error;
  if (wrong > 0) throw new Error(`${wrong} × ${method} did not end as it should`);
}
