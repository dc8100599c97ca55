/** The configuration: the file, the environment over it, and sentences that name the place and the way out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/read.js';
import { MEMBERS } from '../../src/config/schema.js';
import { kbaseAddresses, settingsOf } from '../../src/config/settings.js';
import { schedulerNameFor, schedulersOf } from '../../src/config/together.js';

const dir = mkdtempSync(join(tmpdir(), 'reprise-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function read(file: unknown, env: Record<string, string> = {}) {
  const path = join(dir, 'reprise.config.json');
  writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file));
  return readConfig({ dataDir: dir, file: null, env });
}
function refusal(file: unknown, env: Record<string, string> = {}): string {
  try {
    return `accepted: ${JSON.stringify(read(file, env))}`;
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message.replace(`${dir}/`, '')}`;
  }
}
const njs = { cpus: 12, memory_mb: 10_000, disk_gb: 100 };

describe('a configuration', () => {
  it('may be missing altogether, unless it was asked for by name', () => {
    expect(readConfig({ dataDir: '/nonexistent', file: null, env: {} })).toEqual({});
    expect(() => readConfig({ dataDir: dir, file: '/nonexistent.json', env: {} })).toThrow(
      /^\/nonexistent\.json can not be read: ENOENT.*; name another with --config$/,
    );
  });

  it('takes each member from the environment too, over the file', () => {
    const config = read(
      { port: 1, host: 'a', kbase: { url: 'http://one' }, client_groups: { njs } },
      {
        REPRISE_PORT: '2',
        REPRISE_KBASE_AUTH_URL: 'http://two/auth',
        REPRISE_RUNNER_COMMAND: '["run.sh", "{job_id}", "{url}"]',
        REPRISE_SUPERVISED: 'true',
        REPRISE_DEFAULT_CLIENT_GROUP: 'njs',
        REPRISE_HOST: '',
        REPRISE_TOKEN: 'is of the client, and no member',
      },
    );
    expect(config).toEqual({
      port: 2,
      host: 'a',
      kbase: { url: 'http://one', auth_url: 'http://two/auth' },
      runner: { command: ['run.sh', '{job_id}', '{url}'] },
      client_groups: { njs },
      default_client_group: 'njs',
      supervised: true,
    });
  });

  it('finds files it names beside itself', () => {
    expect(read({ token_key_file: 'key', kbase: { admin_token_file: '/etc/token' } })).toEqual({
      token_key_file: join(dir, 'key'),
      kbase: { admin_token_file: '/etc/token' },
    });
  });

  it.each([
    ['{"port": }', {}, /^INVALID_INPUT: reprise\.config\.json is not JSON: /],
    [{ port: '80' }, {}, "INVALID_INPUT: reprise.config.json: 'port' must be integer; see docs/configuration.md"],
    [{ prot: 80 }, {}, "INVALID_INPUT: reprise.config.json: there is no member 'prot'; see docs/configuration.md"],
    [
      { clientGroups: {} },
      {},
      "INVALID_INPUT: reprise.config.json: there is no member 'clientGroups' (is 'client_groups' meant?); see docs/configuration.md",
    ],
    [
      { kbase: { authUrl: 'x' } },
      {},
      "INVALID_INPUT: reprise.config.json: there is no member 'kbase.authUrl' (is 'kbase.auth_url' meant?); see docs/configuration.md",
    ],
    [
      { client_groups: { njs: { ...njs, cpus: 0 } } },
      {},
      "INVALID_INPUT: reprise.config.json: 'client_groups.njs.cpus' must be >= 1; see docs/configuration.md",
    ],
    [
      { client_groups: { njs: { cpus: 1 } } },
      {},
      "INVALID_INPUT: reprise.config.json: 'client_groups.njs' must have the member 'memory_mb'; see docs/configuration.md",
    ],
    [
      { auth: 'ldap' },
      {},
      "INVALID_INPUT: reprise.config.json: 'auth' must be one of builtin, kbase; see docs/configuration.md",
    ],
    [
      { kbase: { url: 'kbase.us' } },
      {},
      "INVALID_INPUT: reprise.config.json: 'kbase.url' does not have the form that is wanted; see docs/configuration.md",
    ],
    [[], {}, 'INVALID_INPUT: reprise.config.json: it must be object; see docs/configuration.md'],
    [
      {},
      { REPRISE_PORT: 'eighty' },
      'INVALID_INPUT: the variable REPRISE_PORT must be JSON, such as 8, true or ["a", "b"]; it is "eighty"',
    ],
    [
      {},
      { REPRISE_PORT: '70.5' },
      'INVALID_INPUT: the variable REPRISE_PORT: it must be integer; see docs/configuration.md',
    ],
    [
      { default_client_group: 'x', client_groups: { njs } },
      {},
      "INVALID_INPUT: the configuration: default_client_group is 'x', which is not one of client_groups (there are: njs)",
    ],
    [
      { override_client_group: 'x' },
      {},
      "INVALID_INPUT: the configuration: override_client_group is 'x', which is not one of client_groups (there are none; add it)",
    ],
    [{ auth: 'kbase' }, {}, "INVALID_INPUT: the configuration: auth is 'kbase': set kbase.url, or kbase.auth_url"],
    [
      { workspaces: 'kbase', kbase: { url: 'http://k' } },
      {},
      "INVALID_INPUT: the configuration: workspaces is 'kbase', which judges by KBase's tokens: set auth to 'kbase' too",
    ],
    [
      { catalog: 'kbase', kbase: { url: 'http://k' } },
      {},
      /^INVALID_INPUT: the configuration: apps of KBase's Catalog are run by KBase's own job runner: set runner\.command/,
    ],
    [
      { list_config: { 'shock-ulr': 'x' } },
      {},
      /^INVALID_INPUT: reprise\.config\.json: 'list_config' has no member 'shock-ulr'; it has external-url, /,
    ],
  ])('%j with %j is refused with a sentence', (file, env, sentence) => {
    if (typeof sentence === 'string') expect(refusal(file, env as Record<string, string>)).toBe(sentence);
    else expect(refusal(file, env as Record<string, string>)).toMatch(sentence);
  });

  it('has a variable of its own for every member', () => {
    const names = MEMBERS.map((member) => member.env);
    expect(new Set(names).size).toBe(names.length);
    for (const taken of ['REPRISE_URL', 'REPRISE_TOKEN', 'REPRISE_DATA_DIR', 'REPRISE_CONFIG', 'REPRISE_FAULT']) {
      expect(names).not.toContain(taken);
    }
  });
});

describe('what follows from a configuration', () => {
  it("are the addresses of KBase's services, each of which may be set apart", () => {
    expect(kbaseAddresses({ kbase: { url: 'https://kbase.us/services/', catalog_url: 'http://c' } })).toEqual({
      root: 'https://kbase.us/services',
      auth: 'https://kbase.us/services/auth',
      login: 'https://kbase.us/services/auth/api/legacy/KBase/Sessions/Login',
      workspace: 'https://kbase.us/services/ws',
      catalog: 'http://c',
    });
  });

  it('is a text for everything that a job runner of KBase asks list_config for, also without KBase', () => {
    for (const config of [{}, { kbase: { url: 'https://kbase.us/services' } }]) {
      const values = Object.values(settingsOf(config, () => 'http://here/services/ee2').listConfig);
      expect(values).toHaveLength(15);
      for (const value of values) expect(value).toBeTypeOf('string');
    }
    const { listConfig } = settingsOf({ list_config: { scratch: '/scratch' } }, () => 'http://here/services/ee2');
    expect(listConfig).toMatchObject({ scratch: '/scratch', 'external-url': 'http://here/services/ee2' });
  });

  it('are client groups with what their jobs get', () => {
    const config = read({ client_groups: { njs: { ...njs, regex: false } }, default_client_group: 'njs' });
    expect(settingsOf(config, () => '')).toMatchObject({
      clientGroups: [{ name: 'njs', cpus: 12, memoryMb: 10_000, diskGb: 100, regex: false, debugMode: null }],
      defaultClientGroup: 'njs',
      overrideClientGroup: null,
      conciergeUser: 'kbaseconcierge',
    });
  });

  it('is the scheduler of each client group', () => {
    const config = read({ client_groups: { far: { ...njs, scheduler: 'external' }, njs } });
    expect(['far', 'njs', null, 'unknown'].map((group) => schedulerNameFor(config, group))).toEqual([
      'external',
      'local',
      'local',
      'local',
    ]);
    expect(schedulersOf(config)).toEqual(['local', 'external']);
  });
});
