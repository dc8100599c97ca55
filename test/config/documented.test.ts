/** docs/configuration.md says of each member what the schema says. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config/read.js';
import { MEMBERS } from '../../src/config/schema.js';

const file = resolve(import.meta.dirname, '../../docs/configuration.md');
const page = readFileSync(file, 'utf8');

it('docs/configuration.md has every member with its variable, default and meaning, and no other', () => {
  const rows = [...page.matchAll(/^\| `([a-z_.]+)` +\| `(REPRISE_[A-Z_]+)` +\| (.*?) *\| (.*?) *\|$/gm)];
  const documented = rows.map(([, path, env, byDefault, meaning]) => ({ path, env, byDefault, meaning }));
  const schema = MEMBERS.map(({ path, env, schema: member }) => {
    const { default: byDefault, description } = member as { default?: unknown; description?: string };
    return { path, env, byDefault: byDefault === undefined ? '' : String(byDefault), meaning: description };
  });
  expect(documented).toEqual(schema);
});

it('its examples are configurations that a server takes', () => {
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  expect(examples.length).toBeGreaterThanOrEqual(2);
  for (const example of examples) {
    const config = JSON.parse(example) as object;
    const env = Object.fromEntries(
      Object.entries(config).map(([name, value]) => [
        `REPRISE_${name.toUpperCase()}`,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    );
    const flat = Object.entries(env).filter(
      ([name]) => !['REPRISE_KBASE', 'REPRISE_RUNNER', 'REPRISE_RETENTION', 'REPRISE_SLURM'].includes(name),
    );
    const nested = (['kbase', 'runner', 'retention', 'slurm'] as const).flatMap((group) =>
      Object.entries((config as Record<string, object>)[group] ?? {}).map(([name, value]) => [
        `REPRISE_${group.toUpperCase()}_${name.toUpperCase()}`,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    );
    const read = readConfig({ dataDir: '/nonexistent', file: null, env: Object.fromEntries([...flat, ...nested]) });
    expect(read).toEqual(config);
  }
});
