import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkDirectory } from '../../src/cli/transfer.js';

describe('the directory of an export', () => {
  const folder = mkdtempSync(join(tmpdir(), 'reprise-export-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('that is missing, or a file, is told by its name', () => {
    const [missing, file] = [join(folder, 'none'), join(folder, 'file')];
    writeFileSync(file, '');
    for (const path of [missing, file]) expect(() => checkDirectory(path)).toThrow(`there is no directory ${path}`);
    expect(() => checkDirectory(folder)).not.toThrow();
  });
});
