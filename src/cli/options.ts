/** Options that several commands share, and how their texts are read. A text that cannot be read is a wrong usage. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { RestParams } from '../contract/operations.js';
import { STATUSES, type Status } from '../contract/status.js';
import { UsageError } from './output.js';
import type { Place } from './session.js';
import { spoken } from './text.js';

export interface Common extends Place {
  readonly json?: true;
}

/** `--json` and `--data-dir`: every command that asks a server has them. */
export function asking(command: Command): Command {
  return command
    .addOption(new Option('--json', 'the answer of the REST API on standard output'))
    .addOption(new Option('--data-dir <dir>', 'of the server on this machine (REPRISE_DATA_DIR)'));
}

export const asAdmin = () => new Option('--as-admin', 'use your admin role');
export const quiet = () => new Option('-q, --quiet', 'print ids only, one a line');
export const wait = () => new Option('--wait', 'wait until they have ended; exit code 3 if any failed');
export const dryRun = () => new Option('--dry-run', 'give the verdicts and record nothing');
export const requestId = () =>
  new Option('--request-id <id>', 'makes the call repeatable: the same id, the same answer');
export const limit = (most: string) => new Option('--limit <n>', most).argParser(positive);

/** One made up here still makes a call safe to repeat when its connection breaks. */
export const newRequestId = (): string => `cli-${randomUUID()}`;

export interface VersionOptions {
  readonly tag?: string;
  readonly commit?: string;
}

/** Options of a job beside its parameters. */
export interface JobOptions extends VersionOptions {
  readonly cpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly clientGroup?: string;
}

export function withJobOptions(command: Command): Command {
  return command
    .addOption(new Option('--tag <tag>', 'the version this tag points at (default: release)'))
    .addOption(new Option('--commit <commit>', 'this very version; the beginning of one will do').conflicts('tag'))
    .addOption(new Option('--cpus <n>', "instead of the method's own").argParser(positive))
    .addOption(new Option('--memory <size>', 'in MB, or 2G').argParser(megabytes))
    .addOption(new Option('--disk <gb>', 'in GB').argParser(positive))
    .addOption(new Option('--client-group <name>', 'queue or partition'));
}

type JobRequest = RestParams<'submitJobs'>['jobs'][number];

/** The members of a job request that `withJobOptions` gives; absent ones stay absent, so the method's own hold. */
export function jobMembers(o: JobOptions): Pick<JobRequest, 'version' | 'requirements'> {
  const requirements = {
    ...(o.cpus !== undefined && { cpus: o.cpus }),
    ...(o.memory !== undefined && { memory_mb: o.memory }),
    ...(o.disk !== undefined && { disk_gb: o.disk }),
    ...(o.clientGroup !== undefined && { client_group: o.clientGroup }),
  };
  const version = o.commit ?? o.tag;
  return { ...(version !== undefined && { version }), ...(Object.keys(requirements).length > 0 && { requirements }) };
}

export interface ListOptions extends Common {
  readonly app?: string;
  readonly user?: string;
  readonly wsid?: number;
  readonly limit: number;
  readonly quiet?: true;
  readonly asAdmin?: true;
}

/** What every list can be narrowed by. Options of its own stand before these. */
export function listing(command: Command): Command {
  return command
    .addOption(new Option('--app <name>', 'module or module.method'))
    .addOption(new Option('--user <name>', 'of another user (with --as-admin)'))
    .addOption(new Option('--wsid <n>', 'of a workspace').argParser(positive))
    .addOption(limit('at most so many').default(20))
    .addOption(quiet())
    .addOption(asAdmin());
}

/** The members of a list's request that `listing` gives. */
export function listMembers(o: ListOptions) {
  return {
    ...(o.app !== undefined && { app: o.app }),
    ...(o.user !== undefined && { user: o.user }),
    ...(o.wsid !== undefined && { wsid: o.wsid }),
    ...(o.asAdmin && { as_admin: true }),
  };
}

export function positive(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

export function natural(text: string): number {
  return text === '0' ? 0 : positive(text);
}

const SIZES: Readonly<Record<string, number>> = { '': 1, m: 1, g: 1024, t: 1024 * 1024 };

/** `512`, `512M`, `2G`, `1.5GB` → MB */
export function megabytes(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s*([mgt]?)(?:i?b)?$/i.exec(text);
  const value = parts === null ? 0 : Math.ceil(Number(parts[1]) * (SIZES[(parts[2] ?? '').toLowerCase()] ?? 0));
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a size in MB such as 512, or 512M, 2G.');
}

const PERIODS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `90s`, `30m`, `12h`, `30d`, `2w` → ms */
export function milliseconds(text: string): number {
  const parts = /^(\d+)\s*([smhdw])$/.exec(text);
  const value = parts === null ? 0 : Number(parts[1]) * (PERIODS[parts[2] ?? ''] ?? 0);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a time such as 12h, 30d or 2w.');
}

/** `error,terminated`, and the option may be given again. `failed` and `cancelled` are the words people say. */
export function states(text: string, before: readonly Status[] = []): readonly Status[] {
  return [...new Set([...before, ...text.split(',').map((word) => statusOf(word.trim()))])];
}

function statusOf(word: string): Status {
  const status = STATUSES.find((one) => word === one || word === spoken(one));
  if (status !== undefined) return status;
  const words = new Set([...STATUSES, ...STATUSES.map(spoken)]);
  throw new InvalidArgumentError(`'${word}' is not one of ${[...words].join(', ')}.`);
}

export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** `k=v` texts as a record of strings, for `--meta`. */
export function strings(pairs: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(pairs.map((pair) => splitPair(pair, option)));
}

/** At the first `=`; later ones belong to the value. */
export function splitPair(pair: string, option: string): readonly [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new UsageError(`${option} ${pair}: write it as ${option} name=value`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}
