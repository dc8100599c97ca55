/** `reprise version`: of this program, and of the server if one is known. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { RepriseError } from '../contract/errors.js';
import { asking, type Common } from './options.js';
import { print, printJson, say } from './output.js';
import { connect } from './session.js';

export function addVersion(program: Command): void {
  program.version(ownVersion(), '-V, --version', 'of this program');
  asking(program.command('version')).description('of this program and of the server').action(version);
}

function ownVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

async function version(common: Common): Promise<void> {
  const server = await serverVersion(common);
  if (common.json) return printJson({ version: ownVersion(), server });
  print(ownVersion());
  say(server === null ? 'no server is running' : `the server at ${server.url} has version ${server.version}`);
}

async function serverVersion(common: Common): Promise<{ url: string; version: string } | null> {
  try {
    const session = connect(common);
    const { version: theirs } = await session.call('version', {});
    return { url: session.url, version: theirs };
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'UNAVAILABLE') return null;
    throw error;
  }
}
