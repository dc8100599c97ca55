import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('../../dist/cli/demo.js', import.meta.url));

test('the demo ends by itself without a terminal, with its checks fulfilled, in 80 columns', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'reprise-demo-'));
  try {
    const demo = spawnSync(process.execPath, [program], { cwd, encoding: 'utf8', timeout: 110_000 });
    expect({ status: demo.status, stderr: demo.stderr }, demo.stdout).toEqual({ status: 0, stderr: '' });
    expect(demo.stdout).toContain('6 x class app, exit code 3, windows 4, 11, 18, 25, 32, 39');
    expect(demo.stdout).toContain('Every check holds.');
    const tooLong = demo.stdout.split('\n').filter((line) => line.length > 80 && line.trim().includes(' '));
    expect(tooLong).toEqual([]);
  } finally {
    rmSync(cwd, { recursive: true });
  }
}, 120_000);
