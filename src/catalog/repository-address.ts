/**
 * Which addresses we fetch from. git itself takes far more: helpers that run programs (`ext::sh -c …`), options that look
 * like addresses (`--upload-pack=…`), transports that anyone on the way can change. What is not listed here is refused.
 *
 * | form                                                          | fetched by                                    |
 * | ------------------------------------------------------------- | --------------------------------------------- |
 * | `https://host[:port]/path`                                    | https; a password belongs in `~/.netrc`       |
 * | `ssh://[user@]host[:port]/path`, `[user@]host:path`           | ssh, with the keys of the server's user       |
 * | `/absolute/path` of a repository                              | git on this machine                           |
 */
import { isAbsolute, normalize } from 'node:path';
import { RepriseError } from '../contract/errors.js';

export interface RepositoryAddress {
  /** As it is given to git, recorded and shown. */
  readonly text: string;
  readonly transport: 'https' | 'ssh' | 'file';
}

const FORMS = 'give https://host/path, ssh://user@host/path, user@host:path or an absolute path';
const CONTROL = /\p{Cc}|[\u2028\u2029]/u;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;
const SCP = /^(?:([^@/:]+)@)?([^@/:]+):(?!:)(.+)$/;

/** Throws REPOSITORY_REFUSED. */
export function parseRepositoryAddress(given: string): RepositoryAddress {
  const reason = reasonAgainst(given);
  if (reason !== null) refuse(given, reason);
  if (given.startsWith('/')) return { text: withoutTail(normalize(given)), transport: 'file' };
  if (given.includes('://')) return parseUrl(given);
  return parseScp(given);
}

function reasonAgainst(given: string): string | null {
  if (given === '') return `it is empty; ${FORMS}`;
  if (CONTROL.test(given)) return 'it has control characters';
  if (given !== given.trim()) return 'it begins or ends with a blank';
  if (given.startsWith('-')) return 'it begins with a dash, as an option would';
  if (/^[A-Za-z0-9+.-]+::/.test(given)) return `'${given.split('::')[0]}::' runs a helper program; ${FORMS}`;
  if (/^file:/i.test(given)) return 'give the absolute path itself, without file:';
  if (/^(https?|git|ftps?):/i.test(given) && !/^https:\/\//.test(given)) {
    return `anyone on the way could change what it sends; use https:// or ssh://`;
  }
  if (!given.includes(':') && !isAbsolute(given)) return `a path must be absolute; ${FORMS}`;
  return null;
}

function parseUrl(given: string): RepositoryAddress {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'ssh:')) refuse(given, FORMS);
  if (!HOST.test(url.hostname)) refuse(given, `'${url.hostname}' is not the name of a host`);
  if (/[\s\\]/.test(given)) refuse(given, 'it has blanks or backslashes');
  if (url.search !== '' || url.hash !== '') refuse(given, 'it has a query or a fragment (? or #)');
  if (url.pathname.replaceAll('/', '') === '') refuse(given, 'it names a host but no repository');
  if (url.protocol === 'ssh:') return parseSshUrl(given, url);
  if (url.username !== '' || url.password !== '') {
    refuse(
      given,
      "everyone can read it, so it may hold no user or password; put them in ~/.netrc of the server's user",
    );
  }
  return { text: withoutTail(given), transport: 'https' };
}

function parseSshUrl(given: string, url: URL): RepositoryAddress {
  if (url.password !== '') refuse(given, "it holds a password; give the server's user an ssh key instead");
  if (url.username !== '' && !USER.test(url.username)) refuse(given, `'${url.username}' is not the name of a user`);
  if (url.pathname.startsWith('/-')) refuse(given, 'its path begins with a dash, as an option would');
  return { text: withoutTail(given), transport: 'ssh' };
}

function parseScp(given: string): RepositoryAddress {
  const [, user, host, path] = SCP.exec(given) ?? [];
  if (host === undefined || path === undefined) refuse(given, FORMS);
  if (!HOST.test(host)) refuse(given, `'${host}' is not the name of a host`);
  if (user !== undefined && !USER.test(user)) refuse(given, `'${user}' is not the name of a user`);
  // with an @ before it the host would be what follows, to whoever looks for that first
  if (/^(?:[^@/]*@)?-/.test(path)) refuse(given, 'its path begins with a dash, as an option would');
  return { text: withoutTail(given), transport: 'ssh' };
}

/** One spelling for one repository. */
function withoutTail(text: string): string {
  return text.length > 1 ? text.replace(/\/+$/, '') : text;
}

function refuse(given: string, reason: string): never {
  const shown = JSON.stringify(given.length > 200 ? `${given.slice(0, 200)}…` : given);
  throw new RepriseError('REPOSITORY_REFUSED', `the repository address ${shown} is refused: ${reason}`);
}
