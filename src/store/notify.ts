import { type Queryable, statement } from './db.js';

const sendNotification = statement(
  'send_notification',
  `
  select pg_notify($1::text, $2::text)`,
);

/** Every server that listens on the channel hears it when the statement commits. */
export async function notify(db: Queryable, channel: string, payload: string): Promise<void> {
  await db.query(sendNotification, [channel, payload]);
}
