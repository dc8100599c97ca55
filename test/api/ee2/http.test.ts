/** JSON-RPC through a socket: large bodies, packed bodies, and what is hardly HTTP. */
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../../src/api/listen.js';
import type { Db } from '../../../src/store/db.js';
import { openTestDb } from '../../support/databases.js';
import { type Ee2App, openEe2 } from '../../support/ee2-app.js';

const LIMIT = 24_000_000;
let db: Db;
let app: Ee2App;
let server: Listening;
beforeAll(async () => {
  db = await openTestDb();
  app = openEe2(db, { bodyLimit: LIMIT });
  server = await listen(app.app, { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await server.close();
  await db.close();
});

const VER = '{"method": "execution_engine2.ver", "params": [], "version": "1.1", "id": "17"}';
const ANSWER = '{"version":"1.1","result":["1.2.3"],"id":"17"}';

async function post(body: string | Uint8Array, headers: Record<string, string> = {}, path = '/services/ee2') {
  const answer = await fetch(server.url + path, {
    method: 'POST',
    // as bytes, so that no content type is made up
    body: Buffer.from(body),
    headers: { AUTHORIZATION: 'alice', ...headers },
    redirect: 'manual',
  });
  expect(answer.headers.get('content-type')).toBe('application/json');
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

function calling(method: string, params: unknown): string {
  return JSON.stringify({ method: `execution_engine2.${method}`, params, version: '1.1', id: '17' });
}

describe('a body', () => {
  it('needs no content type, and may have any', async () => {
    for (const headers of [{}, { 'content-type': 'text/xml' }, { 'content-type': 'multipart/form-data' }]) {
      expect(await post(VER, headers as Record<string, string>)).toMatchObject({ status: 200, text: ANSWER });
    }
  });

  it.each(['/', '/services/ee2', '/services/ee2/', '/services/ee2-nr', '/%E0%A4%A', '//', '/a/b?c=d'])(
    'is answered on %s, without a redirect',
    async (path) => {
      expect(await post(VER, {}, path)).toMatchObject({ status: 200, text: ANSWER });
    },
  );

  it('may be packed', async () => {
    const gzipped = await promisify(gzip)(VER);
    const deflated = await promisify(deflate)(VER);
    expect(await post(gzipped, { 'content-encoding': 'gzip' })).toMatchObject({ status: 200, text: ANSWER });
    expect(await post(deflated, { 'content-encoding': 'Deflate' })).toMatchObject({ status: 200, text: ANSWER });
    expect((await post(VER, { 'content-encoding': 'gzip' })).text).toContain('the body says it is gzip and is not');
  });

  it('may hold 20 MB of log lines, which come back packed', async () => {
    const id = await app.call<string>('run_job', [{ method: 'demo.run' }], 'alice');
    const lines = Array.from({ length: 20_000 }, (_, n) => ({ line: `${n} ${'x'.repeat(1000)}`, is_error: n % 2 }));
    const body = calling('add_job_logs', [{ job_id: id }, lines]);
    expect(body.length).toBeGreaterThan(20_000_000);
    const { text } = await post(body);
    expect(JSON.parse(text)).toMatchObject({ result: [{ success: true, line_number: 20_000 }] });
    const read = await post(calling('get_job_logs', [{ job_id: id, skip_lines: 19_000 }]), {
      'accept-encoding': 'gzip',
    });
    expect(read.headers.get('content-encoding')).toBe('gzip');
    const [log] = JSON.parse(read.text).result;
    expect(log.lines[0]).toMatchObject({ linepos: 19_000, line: `19000 ${'x'.repeat(1000)}`, is_error: 0 });
    expect(log).toMatchObject({ last_line_number: 20_000, count: 20_000 });
  });

  it('over the limit is refused in the shape of every refusal, packed or not, and the connection lives on', async () => {
    const large = `{"x": "${'y'.repeat(LIMIT)}"}`;
    const told = `{"error":{"code":-32000,"name":"Server error","message":"the body is larger than ${LIMIT} bytes; send it in several calls","error":null},"version":"1.1"}`;
    expect(await post(large)).toMatchObject({ status: 500, text: told });
    const packed = await promisify(gzip)(large);
    expect(await post(packed, { 'content-encoding': 'gzip' })).toMatchObject({ status: 500, text: told });
    expect(await post(VER)).toMatchObject({ status: 200, text: ANSWER });
  });
});

/** Bytes in, bytes out, until the server has nothing more to say. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let said = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end of the answer; so far: ${said}`)));
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(said));
    socket.write(bytes, 'latin1');
  });
}
const posting = (start: string, body = VER) =>
  `${start}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;

describe('a request that is hardly one', () => {
  it.each([
    ['of HTTP/1.0, without a host', posting('POST / HTTP/1.0')],
    ['with a host that is no address', posting('POST / HTTP/1.1\r\nHost: a b|c')],
    ['with a host that is written otherwise', posting('POST / HTTP/1.1\r\nHost: 127.1:80')],
    ['with a whole address as its path', posting('POST http://ee2.test/services/ee2 HTTP/1.1\r\nHost: ee2.test')],
    ['with an address that is none', posting('POST http://[/ HTTP/1.1\r\nHost: ee2.test')],
    ['that expects something', posting('POST / HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected')],
    [
      'in chunks',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${VER.length.toString(16)}\r\n${VER}\r\n0\r\n\r\n`,
    ],
  ])('%s is answered all the same', async (_, bytes) => {
    const said = await exchange(bytes);
    expect(said).toMatch(/^HTTP\/1\.1 200 /);
    expect(said).toMatch(/\r\ncontent-type: application\/json\r\n/i);
    expect(said).toContain(ANSWER);
  });

  it.each([
    ['that is not HTTP', 'hello\r\n\r\n', 400],
    ['of a verb that is none', posting('FETCH / HTTP/1.1\r\nHost: x'), 400],
    ['with a length that is none', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n', 400],
    ['with two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}', 400],
    ['with headers without end', `POST / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s is refused in JSON', async (_, bytes, status) => {
    const said = await exchange(bytes);
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(said).toMatch(/\r\ncontent-type: application\/json\r\n/);
    const body = JSON.parse(said.slice(said.indexOf('\r\n\r\n') + 4));
    expect(body).toEqual({ error: { code: 'INVALID_REQUEST', message: expect.any(String) } });
  });

  it('that breaks off does no harm', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    await new Promise<void>((resolve) =>
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{', () => resolve()),
    );
    socket.destroy();
    expect(await post(VER)).toMatchObject({ status: 200, text: ANSWER });
  });
});
