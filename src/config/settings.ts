/** From the configuration to what the parts of a server are given. */
import type { ClientGroup, ServiceSettings } from '../contract/settings.js';
import type { Config } from './schema.js';

export interface KbaseAddresses {
  readonly root: string | null;
  readonly auth: string;
  readonly login: string;
  readonly workspace: string;
  readonly catalog: string;
}

const without = (address: string) => address.replace(/\/+$/, '');

/** Those that are not set and follow from nothing are empty. */
export function kbaseAddresses({ kbase = {} }: Config): KbaseAddresses {
  const root = kbase.url === undefined ? null : without(kbase.url);
  const below = (name: string) => (root === null ? '' : `${root}/${name}`);
  const auth = without(kbase.auth_url ?? below('auth'));
  return {
    root,
    auth,
    login: kbase.login_url ?? (auth === '' ? '' : `${auth}/api/legacy/KBase/Sessions/Login`),
    workspace: kbase.workspace_url ?? below('ws'),
    catalog: kbase.catalog_url ?? below('catalog'),
  };
}

/** `url`: where this server is reached by runners; asked when it is needed, since it is known only after listening. */
export function settingsOf(config: Config, url: () => string): ServiceSettings {
  return {
    clientGroups: Object.entries(config.client_groups ?? {}).map(groupOf),
    defaultClientGroup: config.default_client_group ?? null,
    overrideClientGroup: config.override_client_group ?? null,
    conciergeUser: config.concierge_user ?? 'kbaseconcierge',
    get listConfig() {
      return listConfig(config, url());
    },
  };
}

type Group = NonNullable<Config['client_groups']>[string];

function groupOf([name, group]: [string, Group]): ClientGroup {
  return {
    name,
    cpus: group.cpus,
    memoryMb: group.memory_mb,
    diskGb: group.disk_gb,
    regex: group.regex ?? null,
    debugMode: group.debug ?? null,
  };
}

/** KBase's runner wants a text for every address, `scratch` and `ref_data_base`, whatever stands in it. */
function listConfig(config: Config, url: string): ServiceSettings['listConfig'] {
  const kbase = kbaseAddresses(config);
  const below = (name: string) => (kbase.root === null ? '' : `${kbase.root}/${name}`);
  return {
    'external-url': url,
    'kbase-endpoint': kbase.root ?? '',
    'workspace-url': kbase.workspace,
    'catalog-url': kbase.catalog,
    'shock-url': below('shock-api'),
    'handle-url': below('handle_service'),
    'srv-wiz-url': below('service_wizard'),
    'auth-service-url': kbase.login,
    'auth-service-url-v2': kbase.auth === '' ? '' : `${kbase.auth}/api/V2/token`,
    'auth-service-url-allow-insecure': kbase.auth.startsWith('http:') ? 'true' : 'false',
    scratch: '/tmp',
    executable: 'execute_runner.sh',
    docker_timeout: '604805',
    initialdir: '/condor_shared',
    ref_data_base: '/kb/data',
    ...config.list_config,
  };
}
