/** What nodes without a mirror are sent is what a checkout on this machine is. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendFiles } from '../../src/api/checkouts.js';
import { createArchives } from '../../src/catalog/archives.js';
import { createCheckouts } from '../../src/runner/checkout.js';
import { createDownloads } from '../../src/runner/downloads.js';
import { makeGitRepository } from '../support/git-repository.js';
import { removeTree } from '../support/remove-tree.js';
import { until } from '../support/until.js';

const root = mkdtempSync(join(tmpdir(), 'reprise-archives-'));
const mirror = join(root, 'mirror.git');
const archives = createArchives();
let commit: string;
beforeAll(() => {
  const repository = makeGitRepository();
  const at = (name: string) => join(repository.path, name);
  mkdirSync(at('sub/deep'), { recursive: true });
  writeFileSync(
    at('.gitattributes'),
    'secret.txt export-ignore\nsub export-ignore\nv.txt export-subst\nw.txt eol=crlf\ni.txt ident\n',
  );
  writeFileSync(at('secret.txt'), 'kept\n');
  writeFileSync(at('v.txt'), '$Format:%H$\n');
  writeFileSync(at('w.txt'), 'one\ntwo\n');
  writeFileSync(at('i.txt'), '$Id$\n');
  writeFileSync(at('sub/.gitattributes'), '* export-ignore\n');
  writeFileSync(at(`sub/deep/${'long'.repeat(40)}.txt`), 'long\n');
  writeFileSync(at('sub/deep/größe ✓\n.txt'), 'unicode\n');
  writeFileSync(at('e\u0301.txt'), 'NFD\n');
  writeFileSync(at('\u00e9.txt'), 'NFC\n');
  writeFileSync(at('-rf'), '');
  writeFileSync(at('run'), '#!/bin/sh\n');
  chmodSync(at('run'), 0o755);
  for (const [name, target] of [
    ['abs', '/etc/hostname'],
    ['up', '../../outside'],
    ['in', 'sub/deep'],
    ['none', 'nowhere'],
  ] as const) {
    symlinkSync(target, at(name));
  }
  writeFileSync(at('big.bin'), Buffer.alloc(9_000_000, 'abcdefg'));
  commit = repository.commit({});
  execFileSync('git', ['clone', '-q', '--bare', '--template=', repository.path, mirror]);
  repository.remove();
});
afterAll(() => removeTree(root));

/** Name → kind, mode and content of everything below. */
function treeOf(place: string): Record<string, string> {
  const names = readdirSync(place, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => {
      const path = join(place, name);
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
      const mode = (stat.mode & 0o7777).toString(8);
      return [name, stat.isDirectory() ? `${mode}/` : `${mode} ${readFileSync(path).toString('latin1')}`];
    }),
  );
}

async function serve(send: (response: ServerResponse) => Promise<void>) {
  const server = createServer((_, response) => void send(response));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
}

describe('an archive', () => {
  it('has the same files, modes, links and names as a checkout, whatever the app says about its releases', async () => {
    const server = await serve(async (response) => void (await archives.open(mirror, commit)).pipe(response));
    const here = await createCheckouts(join(root, 'here')).get(mirror, commit);
    const downloads = createDownloads({ directory: join(root, 'there'), url: server.url, token: 't', log: () => {} });
    const there = await downloads.get('', commit);
    expect(Object.keys(treeOf(there)).length).toBeGreaterThan(18);
    expect(treeOf(there)).toEqual(treeOf(here));
    expect(lstatSync(there).mode & 0o777).toBe(0o555);
    await server.close();
  });

  it('that breaks off in the middle is no checkout, and is fetched again', async () => {
    let tries = 0;
    const server = await serve(async (response) => {
      tries += 1;
      const files = await archives.open(mirror, commit);
      if (tries > 2) return void files.pipe(response);
      // at the end of a file, where tar itself can not see that more should come; and then in the middle of one
      let left = tries === 1 ? 1536 : 1_000_000;
      files.on('data', (chunk: Buffer) => {
        response.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left > 0) return;
        files.destroy();
        response.destroy();
      });
    });
    const directory = join(root, 'broken');
    const downloads = createDownloads({ directory, url: server.url, token: 't', log: () => {} });
    expect(treeOf(await downloads.get('', commit))).toHaveProperty('big.bin');
    expect(tries).toBe(3);
    expect(readdirSync(directory)).toEqual([commit]);
    await server.close();
  });

  it('of a commit that is not there is refused before its first byte', async () => {
    await expect(archives.open(mirror, 'f'.repeat(40))).rejects.toThrow(/not a valid object name|not a tree object/);
    // nobody holds a place in the queue after that
    for (let n = 0; n < 6; n += 1) await archives.open(mirror, 'f'.repeat(40)).catch(() => null);
    (await archives.open(mirror, commit)).destroy();
  });

  it('that its reader gives up leaves no git behind', async () => {
    const server = await serve(async (response) => sendFiles(await archives.open(mirror, commit), response));
    const gits = () => spawnSync('pgrep', ['-f', `git-dir=${mirror}`], { encoding: 'utf8' }).stdout.trim();
    const readers = Array.from({ length: 6 }, () => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
      socket.once('data', () => socket.pause());
      return socket;
    });
    await until('git to run', async () => gits() !== '');
    for (const reader of readers) reader.destroy();
    await until('git to be gone', async () => gits() === '');
    await server.close();
  });
});
