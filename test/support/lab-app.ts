/** An app for the pages' tests: its jobs wait for a gate to be opened and fail until something is fixed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../../src/client/client.js';
import { type AppRepository, makeAppRepository } from './app-repository.js';

export interface LabApp {
  readonly repository: AppRepository;
  /** Jobs with this `gate` go on. */
  open(gate: string): void;
  close(gate: string): void;
  /** Jobs whose name begins with `bad` succeed from now on; `false` makes them fail again. */
  fix(on: boolean): void;
  remove(): void;
}

const member = (name: string) => `$(sed -n 's/.*"${name}": *"\\([^"]*\\)".*/\\1/p' input.json)`;

const script = (dir: string) => `
name=${member('name')}
gate=${member('gate')}
printf '\\033[32mreading\\033[0m %s <img src=x onerror=alert(1)>\\n' "$name"
while [ -n "$gate" ] && [ ! -e "${dir}/$gate" ]; do sleep 0.05; done
case "$name" in bad*) [ -e "${dir}/fixed" ] || { echo "no reference for $name" >&2; exit 3; };; esac
cp input.json output.json
`;

/** Adds the module `lab` with the method `stats` to the server. */
export async function addLabApp(client: Client): Promise<LabApp> {
  const dir = mkdtempSync(join(tmpdir(), 'reprise-lab-'));
  const stats = {
    command: ['sh', '-c', script(dir)],
    requirements: { cpus: 1, memory_mb: 50 },
    params_schema: {
      type: 'object',
      required: ['name'],
      additionalProperties: false,
      properties: { name: { type: 'string' }, reads: { type: 'integer', minimum: 0 }, gate: { type: 'string' } },
    },
  };
  const repository = makeAppRepository({ stats }, 'lab');
  repository.commit('first');
  await client.call('addApp', { repository: repository.path, tag: 'release' });
  return {
    repository,
    open: (gate) => writeFileSync(join(dir, gate), ''),
    close: (gate) => rmSync(join(dir, gate)),
    fix: (on) => (on ? writeFileSync(join(dir, 'fixed'), '') : rmSync(join(dir, 'fixed'), { force: true })),
    remove() {
      rmSync(dir, { recursive: true, force: true });
      rmSync(repository.path, { recursive: true, force: true });
    },
  };
}
