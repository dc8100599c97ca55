/** Adding from a real git server over https. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltinCatalog, createBuiltinCatalog } from '../../src/catalog/builtin.js';
import type { Db } from '../../src/store/db.js';
import { openTestDb } from '../support/databases.js';
import { demoManifest, type GitRepository, makeGitRepository } from '../support/git-repository.js';

const fixture = (name: string) => resolve(import.meta.dirname, '../fixtures', name);
const CERTIFICATE = fixture('localhost-certificate.pem');

let db: Db;
let directory: string;
let catalog: BuiltinCatalog;
let repository: GitRepository;
let server: Server;
let base: string;

beforeAll(async () => {
  db = await openTestDb();
  directory = mkdtempSync(join(tmpdir(), 'reprise-https-'));
  catalog = createBuiltinCatalog({ db, appsDir: join(directory, 'apps'), log: () => {} });
  repository = makeGitRepository();
  server = createServer({ key: readFileSync(fixture('localhost-key.pem')), cert: readFileSync(CERTIFICATE) }, answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  base = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  delete process.env.GIT_SSL_CAINFO;
  server.closeAllConnections();
  server.close();
  await db.close();
  repository.remove();
  rmSync(directory, { recursive: true, force: true });
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', base);
  if (pathname.startsWith('/private/')) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
  } else if (pathname.startsWith('/elsewhere/')) {
    response.writeHead(302, { location: 'http://localhost:1/x' }).end();
  } else serveGit(pathname, search.slice(1), request, response);
}

/** git's own server program. */
function serveGit(path: string, query: string, request: IncomingMessage, response: ServerResponse): void {
  const cgi = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: dirname(repository.path),
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? '',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
    },
  });
  const chunks: Buffer[] = [];
  request.pipe(cgi.stdin);
  cgi.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  cgi.on('close', () => {
    const whole = Buffer.concat(chunks);
    const end = whole.indexOf('\r\n\r\n');
    const headers = whole
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string]);
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
    response.writeHead(Number.parseInt(status, 10), Object.fromEntries(headers.filter(([name]) => name !== 'Status')));
    response.end(whole.subarray(end + 4));
  });
}

const add = (path: string, ref?: string) =>
  catalog.addApp({ repository: `${base}${path}`, tag: 'release', ...(ref !== undefined && { ref }) }, 'ann').then(
    (added) => added.commit,
    (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
  );

describe('a repository behind https', () => {
  it('is fetched when its certificate is trusted, and only then', async () => {
    const sha = repository.commit({ 'reprise.json': demoManifest('one') });
    const path = `/${basename(repository.path)}/.git`;
    expect(await add(path)).toMatch(/^REPOSITORY_UNREADABLE: .*certificate.*; try git ls-remote on the server$/);
    process.env.GIT_SSL_CAINFO = CERTIFICATE;
    expect(await add(path)).toBe(sha);
    const next = repository.commit({ 'reprise.json': demoManifest('two') });
    expect(await add(path, 'main')).toBe(next);
    expect(await add(path, sha)).toBe(sha);
  });

  it('that is not there, wants a password or sends us on without encryption is refused with what to do', async () => {
    process.env.GIT_SSL_CAINFO = CERTIFICATE;
    expect(await add('/nope')).toMatch(/^REPOSITORY_UNREADABLE: .*not found/);
    expect(await add('/private/x')).toMatch(
      /it does not exist or wants a password; put one into ~\/\.netrc of the server's user$/,
    );
    expect(await add('/elsewhere/x')).toMatch(/^REPOSITORY_UNREADABLE: .*"http" not supported or disabled/);
  });
});
