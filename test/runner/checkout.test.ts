import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCheckouts } from '../../src/runner/checkout.js';
import { type BareMirror, makeBareMirror } from '../support/bare-mirror.js';
import { removeTree } from '../support/remove-tree.js';

const root = mkdtempSync(join(tmpdir(), 'reprise-checkouts-'));
let mirror: BareMirror;
beforeAll(() => {
  mirror = makeBareMirror({ 'a.txt': 'a\n', 'bin/run': '#!/bin/sh\n', '.gitattributes': 'a.txt export-ignore\n' });
});
afterAll(() => {
  mirror.remove();
  removeTree(root);
});
let directories = 0;
const fresh = () => {
  directories += 1;
  return join(root, String(directories));
};

describe('a checkout', () => {
  it('is made once for fifty who want it first at once, and is what the commit says', async () => {
    const directory = fresh();
    const checkouts = createCheckouts(directory);
    const places = await Promise.all(Array.from({ length: 50 }, () => checkouts.get(mirror.path, mirror.commit)));
    expect(new Set(places)).toEqual(new Set([join(directory, mirror.commit)]));
    expect(readdirSync(directory)).toEqual([mirror.commit]);
    const [place = ''] = places;
    expect(readdirSync(place, { recursive: true }).sort()).toEqual(['.gitattributes', 'a.txt', 'bin', 'bin/run']);
    expect(readFileSync(join(place, 'a.txt'), 'utf8')).toBe('a\n');
  });

  it('is read-only, and what is executable stays so', async () => {
    const place = await createCheckouts(fresh()).get(mirror.path, mirror.commit);
    const modes = ['', 'bin', 'bin/run', 'a.txt'].map((name) => (statSync(join(place, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(['555', '555', '555', '444']);
  });

  it('that was removed is made again', async () => {
    const checkouts = createCheckouts(fresh());
    const place = await checkouts.get(mirror.path, mirror.commit);
    removeTree(place);
    expect(statSync(await checkouts.get(mirror.path, mirror.commit)).isDirectory()).toBe(true);
  });

  it('of a commit that is not there fails with a sentence, leaves nothing, and can be tried again', async () => {
    const directory = fresh();
    const checkouts = createCheckouts(directory);
    const missing = 'f'.repeat(40);
    await expect(checkouts.get(mirror.path, missing)).rejects.toThrow(/git read-tree failed: .*/);
    await expect(checkouts.get('/nowhere', mirror.commit)).rejects.toThrow(/not a git repository/);
    await expect(checkouts.get(mirror.path, '../../etc')).rejects.toThrow(/not a full commit hash/);
    expect(readdirSync(directory)).toEqual([]);
    await checkouts.get(mirror.path, mirror.commit);
  });

  it('of a damaged mirror fails instead of being incomplete', async () => {
    const damaged = makeBareMirror({ 'big.txt': 'some text\n'.repeat(1000) });
    const objects = join(damaged.path, 'objects');
    for (const name of readdirSync(objects, { recursive: true, encoding: 'utf8' })) {
      const file = join(objects, name);
      if (!statSync(file).isFile() || !/[0-9a-f]{38}$|\.pack$/.test(name)) continue;
      const bytes = readFileSync(file);
      bytes.fill(0x55, Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 8);
      rmSync(file);
      writeFileSync(file, bytes);
    }
    const directory = fresh();
    await expect(createCheckouts(directory).get(damaged.path, damaged.commit)).rejects.toThrow(/git .* failed/);
    expect(readdirSync(directory)).toEqual([]);
    damaged.remove();
  });

  it('that nobody used for long is swept away, and drafts of a killed host too', async () => {
    const directory = fresh();
    const checkouts = createCheckouts(directory);
    const place = await checkouts.get(mirror.path, mirror.commit);
    const draft = mkdtempSync(join(directory, 'draft-'));
    await checkouts.sweep(1000_000);
    expect(readdirSync(directory)).toEqual([mirror.commit]);
    expect(draft).toContain('draft-');
    const longAgo = new Date(Date.now() - 2000_000);
    utimesSync(place, longAgo, longAgo);
    await checkouts.sweep(1000_000);
    expect(readdirSync(directory)).toEqual([]);
  });
});
