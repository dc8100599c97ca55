/** Where the database is: a URL as psql takes it, checked before anything is sent. The password is never shown. */
import pg from 'pg';
import { parse } from 'pg-connection-string';
import { RepriseError } from '../contract/errors.js';

export interface Target {
  /** For `pg`; carries the password. */
  readonly config: pg.ClientConfig;
  /** For sentences: `database reprise at db.example.org:5432`. */
  readonly where: string;
  /** `db.example.org:5432`, or the socket's path. */
  readonly address: string;
  readonly host: string;
  readonly user: string;
  readonly database: string;
}

const FORM = 'postgres://user:password@host:5432/database';

export function parseTarget(url: string): Target {
  const config = configOf(url);
  // what the URL leaves out, PGHOST, PGUSER and the other variables of psql give
  const known = new pg.Client(config);
  const { host, port, user, database } = known;
  if (user === undefined) throw unusable('it names no user, and neither does PGUSER');
  const address = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
  const name = database ?? user;
  return { config, where: `database ${name} at ${address}`, address, host, user, database: name };
}

function configOf(url: string): pg.ClientConfig {
  if (!/^postgres(ql)?:\/\//.test(url)) throw unusable('it does not begin with postgres://');
  try {
    // TLS as psql has it: `require` encrypts, `verify-full` also checks who answers
    const parsed = parse(url, { useLibpqCompat: !url.includes('uselibpqcompat') });
    const { host, port, user, password, database, ssl, options, application_name: name } = parsed;
    return {
      ...(host && { host }),
      ...(port && { port: Number(port) }),
      ...(user && { user }),
      ...(password && { password }),
      ...(database && { database }),
      ...(ssl !== undefined && { ssl: ssl as pg.ClientConfig['ssl'] & object }),
      ...(options && { options }),
      ...(name && { application_name: name }),
    };
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    throw unusable(code === 'ENOENT' ? `its certificate file ${path} is not there` : message);
  }
}

function unusable(why: string): RepriseError {
  return new RepriseError('INVALID_INPUT', `the database URL cannot be used: ${why}; it has the form ${FORM}`);
}
