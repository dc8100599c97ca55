/**
 * What can go wrong with a PostgreSQL server, in sentences. Recognised by SQLSTATE and by the codes of sockets and TLS,
 * here and nowhere else. https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
import pg from 'pg';
import { RepriseError } from '../contract/errors.js';
import { DbError } from './db.js';
import type { Target } from './postgres-target.js';

/** The pool hangs its client on an error; a log has no use for it. */
function withoutClient(error: unknown): unknown {
  delete (error as { client?: unknown }).client;
  return error;
}

/** Aborted as a whole by the server so that others could go on: doing it again is what is meant to follow. */
const ABORTED_FOR_OTHERS = new Set(['40001', '40P01']);
/** Ends the session: shut down, crashed, dropped, or idle for too long. */
const SESSION_ENDED = new Set(['57P01', '57P02', '57P04', '57P05', '25P03', '25P04']);
const STARTING_OR_STOPPING = '57P03';
const TOO_MANY_CONNECTIONS = '53300';

const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** The connection is gone, and with it every transaction on it that was not being committed. */
export class LostConnection extends Error {
  override readonly name = 'LostConnection';

  /** The connection was known to be gone before the statement could be sent. */
  get unsent(): boolean {
    return /is not queryable/.test(this.message);
  }
}

/** As callers see it: a `DbError`, or a `LostConnection` for the place that knows what was under way. */
export function asDbError(error: unknown, statementName: string | undefined): Error {
  if (error instanceof DbError || error instanceof RepriseError || error instanceof LostConnection) return error;
  if (!(error instanceof pg.DatabaseError))
    return new LostConnection((error as Error).message, { cause: withoutClient(error) });
  const { message, code = 'XX000', constraint } = error;
  if (SESSION_ENDED.has(code) || code.startsWith('08')) return new LostConnection(message, { cause: error });
  return new DbError(message, code, constraint, statementName, { cause: error });
}

export function isAbortedForOthers(error: unknown): boolean {
  return error instanceof DbError && ABORTED_FOR_OTHERS.has(error.sqlState);
}

/** Worth another try within the time a call may wait: the server is coming up, or has no connection left just now. */
export function mayPass(error: unknown): boolean {
  const code = codeOf(error);
  return (
    [STARTING_OR_STOPPING, TOO_MANY_CONNECTIONS, 'ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE'].includes(code) ||
    SESSION_ENDED.has(code) ||
    (error as Error).message === 'Connection terminated unexpectedly'
  );
}

export const isStarting = (error: unknown): boolean => codeOf(error) === STARTING_OR_STOPPING;

const codeOf = (error: unknown): string => (error as { code?: string } | null)?.code ?? '';

/** What a caller is told of a database error that is no defect of ours; others are returned as they are. */
export function toldOf(error: unknown, { where }: Target): unknown {
  if (!(error instanceof DbError)) return error;
  const sentence = SENTENCES[error.sqlState] ?? SENTENCES[error.sqlState.slice(0, 2)];
  if (sentence === undefined) return error;
  return new RepriseError('UNAVAILABLE', `${where} ${sentence}`, undefined, { cause: error });
}

/** By SQLSTATE, or by its class. */
const SENTENCES: Readonly<Record<string, string>> = {
  '57014': 'took longer over this than the statement timeout allows; ask for less at once, or try again',
  '55P03': 'has rows of this call locked by another one that does not end; try again',
  '25006':
    'takes no writes: it is a standby or set read-only; let the URL name the primary, or wait until it is promoted',
  '40': 'had to give way to other calls several times; try again',
  '53': 'is out of memory, disk or connections; see its log',
  '58': 'cannot read or write its files; see its log',
};

/** Why no connection could be made. */
export function cannotConnect(error: unknown, target: Target, poolSize: number): RepriseError {
  if (error instanceof RepriseError) return error;
  const { code, sentence } = reasonOf(error, target, poolSize);
  return new RepriseError(code, sentence, undefined, { cause: withoutClient(error) });
}

interface Reason {
  readonly code: 'UNAVAILABLE' | 'INVALID_INPUT';
  readonly sentence: string;
}

const unavailable = (sentence: string): Reason => ({ code: 'UNAVAILABLE', sentence });
const wrong = (sentence: string): Reason => ({ code: 'INVALID_INPUT', sentence });

function reasonOf(error: unknown, target: Target, poolSize: number): Reason {
  const { address, host } = target;
  const { code = '', message } = error as { code?: string; message: string };
  if (UNTRUSTED.has(code)) {
    return wrong(
      `the certificate of ${address} cannot be trusted (${message}); add sslrootcert=<file> of its authority to the URL, ` +
        'or sslmode=require to encrypt without checking who answers',
    );
  }
  switch (code) {
    case 'ECONNREFUSED':
      return unavailable(`no PostgreSQL server listens at ${address}; start it, or correct host and port of the URL`);
    case 'ENOENT':
      return unavailable(`there is no socket ${address}; start the server, or correct host and port of the URL`);
    case 'EACCES':
      return wrong(`this user may not open the socket ${address}; run as one who may, or use a host of the network`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return wrong(`the name ${host} of the database's host is not known here; correct it, or see to the name server`);
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return silent(address);
  }
  if (error instanceof pg.DatabaseError) return refusedByServer(error, target, poolSize);
  return byMessage(message, target, poolSize);
}

const silent = (address: string): Reason =>
  unavailable(`${address} does not answer; see whether the host is up and lets this machine through`);

function refusedByServer({ code = '', message }: pg.DatabaseError, target: Target, poolSize: number): Reason {
  const { where, address, user, database } = target;
  switch (code) {
    case '28P01':
      return wrong(`${address} refuses the password of user ${user}; correct it in the URL or in PGPASSWORD`);
    case '28000':
      if (/no encryption|SSL off/i.test(message)) {
        return wrong(
          `${address} takes only encrypted connections here; add sslmode=verify-full to the URL (${message})`,
        );
      }
      return wrong(
        `${address} does not let user ${user} in: ${message}; correct the URL, or pg_hba.conf of the server`,
      );
    case '3D000':
      return wrong(`there is no database ${database} at ${address}; create it: createdb ${database}`);
    case '42501':
      return wrong(`user ${user} may not connect to ${where}: ${message}`);
    case TOO_MANY_CONNECTIONS:
      return unavailable(
        `${address} has no connection left; close others, raise its max_connections, or let every server of ours take ` +
          `fewer than ${poolSize} (--database-pool)`,
      );
    case STARTING_OR_STOPPING:
      return unavailable(`${address} is not ready: ${message}; try again in a moment`);
    default:
      return unavailable(`${where} cannot be used: ${message} (${code})`);
  }
}

/** The driver's own errors have nothing but their text. */
function byMessage(message: string, target: Target, poolSize: number): Reason {
  const { address, user } = target;
  if (/does not support SSL/.test(message)) {
    return wrong(`${address} does not speak TLS; switch it on there, or set sslmode=disable in the URL`);
  }
  if (/SSL connection|tls|ssl/i.test(message)) return wrong(`no TLS connection to ${address}: ${message}`);
  if (/password must be a (non-empty )?string/.test(message)) {
    return wrong(`${address} asks for the password of user ${user}; put it into the URL or into PGPASSWORD`);
  }
  if (/timeout exceeded when trying to connect/.test(message)) {
    return unavailable(
      `all ${poolSize} connections to ${address} are busy; try again, or give this server more (--database-pool)`,
    );
  }
  if (/timeout/.test(message)) return silent(address);
  return unavailable(`${address} broke off the connection (${message}); see its log and try again`);
}
