/** KBase's client is Python: Debian's python3-requests against a whole server. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.js';

let s: TestServer;
beforeAll(async () => {
  s = await startTestServer();
});
afterAll(() => s.close());

it("EE2's Python client runs a job and a batch, retries what failed, and reads logs and date ranges", async () => {
  const script = join(import.meta.dirname, '../fixtures/ee2_client.py');
  const { stdout } = await promisify(execFile)('/usr/bin/python3', [
    script,
    `${s.url}/services/ee2`,
    s.token,
    s.dataDir,
  ]);
  expect(stdout).toBe("a day of EE2's client: 8 jobs\n");
});
