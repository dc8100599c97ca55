/** Random keys that every replica shares. */
import { type Queryable, statement } from './db.js';

const insertSecretIfNew = statement(
  'insert_secret_if_new',
  `
  insert into secrets (secret_name, secret_value)
  values ($1::text, $2::bytea)
  on conflict (secret_name) do nothing`,
);

const selectSecret = statement<{ secret_value: Uint8Array }>(
  'select_secret',
  `
  select secret_value
  from secrets
  where secret_name = $1::text`,
);

/** The first one made wins; all replicas read the same. */
export async function ensureSecret(db: Queryable, name: string, make: () => Uint8Array): Promise<Uint8Array> {
  const [known] = await db.query(selectSecret, [name]);
  if (known !== undefined) return known.secret_value;
  await db.query(insertSecretIfNew, [name, make()]);
  const [made] = await db.query(selectSecret, [name]);
  return made!.secret_value;
}
