/** What EE2's clients ask of the server itself. */
import { LIST_CONFIG_KEYS, type ListConfigKey, type ServiceSettings } from '../../contract/settings.js';
import type { Actor } from '../../engine/engine.js';

const TEXTS: Partial<Record<ListConfigKey, string>> = { 'auth-service-url-allow-insecure': 'false', scratch: '/tmp' };
/** KBase's job runner never reads these; the others it writes to a file that takes texts only. */
const MAY_BE_NULL: readonly ListConfigKey[] = ['executable', 'docker_timeout', 'initialdir'];

export function listConfig({ listConfig: given }: ServiceSettings): Record<string, string | null> {
  const value = (key: ListConfigKey) => given[key] ?? TEXTS[key] ?? (MAY_BE_NULL.includes(key) ? null : '');
  return Object.fromEntries(LIST_CONFIG_KEYS.map((key) => [key, value(key)]));
}

export function clientGroups({ clientGroups: groups }: ServiceSettings): string[] {
  return groups.map((group) => group.name);
}

const LETTER = { write: 'w', read: 'r', none: 'n' } as const;

export function adminPermission({ admin }: Actor): { permission: 'w' | 'r' | 'n' } {
  return { permission: LETTER[admin] };
}
