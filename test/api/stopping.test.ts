/** An event stream that is asked for while the server stops. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Listening, listen } from '../../src/api/listen.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { type Ee2App, openEe2 } from '../support/ee2-app.js';

let db: Db;
let ee2: Ee2App;
let listening: Listening;
beforeAll(async () => {
  db = await openTestDb();
  ee2 = openEe2(db);
  listening = await listen(ee2.app, { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await listening.close();
  await db.close();
});

it('is sent to the next server: begun, it would hold up the stop until it is cut', async () => {
  const headers = { authorization: 'Bearer alice', accept: 'text/event-stream' };
  const ask = () => fetch(`${listening.url}/api/v1/events`, { headers });
  const before = await ask();
  expect(before.headers.get('content-type')).toBe('text/event-stream');
  ee2.app.endStreams();
  // this one has ended
  expect(await before.text()).toBe('');
  const after = await ask();
  expect([after.status, await after.json()]).toEqual([
    503,
    { error: expect.objectContaining({ code: 'UNAVAILABLE', message: 'the server is stopping; connect again' }) },
  ]);
});
