/**
 * Everything an operator can set: one JSON file, each member also by an environment variable. `docs/configuration.md` is
 * checked against this table; the descriptions there are these.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { LIST_CONFIG_KEYS, type ListConfigKey } from '../contract/settings.js';

const closed = { additionalProperties: false };
const opt = Type.Optional;
const words = <const T extends readonly string[]>(values: T, description: string, byDefault: T[number]) =>
  opt(Type.Unsafe<T[number]>({ type: 'string', enum: [...values], description, default: byDefault }));
const text = (description: string, byDefault?: string) =>
  opt(
    Type.String({
      description,
      minLength: 1,
      pattern: '^[^\\u0000\\n\\r]+$',
      ...(byDefault !== undefined && { default: byDefault }),
    }),
  );
const url = (description: string, byDefault?: string) =>
  opt(
    Type.String({ description, pattern: '^https?://[^\\s]+$', ...(byDefault !== undefined && { default: byDefault }) }),
  );
const natural = (description: string, byDefault: string | number, minimum = 1) =>
  opt(Type.Integer({ description, minimum, maximum: 2_147_483_647, default: byDefault }));
const path = (description: string, byDefault: string) =>
  opt(Type.String({ description, pattern: '^/[^\\u0000\\n\\r]*$', default: byDefault }));
const flag = (description: string, byDefault: boolean) => opt(Type.Boolean({ description, default: byDefault }));
const SLURM_NAME = '^[A-Za-z0-9_.+][A-Za-z0-9_.+,-]*$';
const slurmName = (description: string, byDefault: string) =>
  opt(Type.String({ description, pattern: SLURM_NAME, default: byDefault }));
const texts = (description: string) => opt(Type.Record(Type.String(), Type.String(), { description }));

export const SCHEDULERS = ['local', 'external', 'slurm'] as const;
/** Of sbatch, that a job may ask for unless the operator says otherwise. */
export const SLURM_ALLOWED_OPTIONS = ['constraint', 'exclusive', 'gres', 'licenses', 'nodes', 'qos', 'tmp'] as const;

const ClientGroup = Type.Object(
  {
    cpus: Type.Integer({ minimum: 1 }),
    memory_mb: Type.Integer({ minimum: 1 }),
    disk_gb: Type.Integer({ minimum: 1 }),
    regex: opt(Type.Boolean()),
    debug: opt(Type.Boolean()),
    scheduler: opt(Type.Unsafe<(typeof SCHEDULERS)[number]>({ type: 'string', enum: [...SCHEDULERS] })),
  },
  closed,
);

export const ConfigSchema = Type.Object(
  {
    host: text('The address to listen on. Anything but this machine needs a TLS proxy in front.', '127.0.0.1'),
    port: natural('The port; 0 takes any free one.', 7878, 0),
    supervised: opt(
      Type.Boolean({
        description: 'A small supervisor keeps the listening socket, so that calls wait while the server restarts.',
        default: false,
      }),
    ),
    body_limit_mb: natural('The largest body of a call, in MB.', 64),
    log_level: words(['silent', 'error', 'warn', 'info', 'debug'], 'What the log tells.', 'info'),
    database_url: opt(
      Type.String({
        description: 'A PostgreSQL server, which several servers may share.',
        pattern: '^postgres(ql)?://',
        default: 'none: the record is in the data directory',
      }),
    ),
    database_pool: natural('Connections to it.', 10),
    cpus: natural('What jobs on this machine may use together.', 'all'),
    memory_mb: natural('The same for memory, in MB.', '80 % of the machine'),
    host_lease_seconds: natural(
      "After so long without a sign of life other servers on the database give up this machine's jobs.",
      300,
      10,
    ),
    silent_seconds: natural(
      'A job of our runner on a scheduler of many machines ends as lost after so long without a sign of life.',
      3600,
      10,
    ),
    queued_days: natural('A job that its scheduler has had for so long without starting it ends.', 15),
    retention: opt(
      Type.Object(
        {
          requests_days: natural('How long a request id is remembered, with its receipts.', 7),
          logs_days: natural('How long log lines are kept after the end of the job.', 'for ever'),
          events_days: natural('The same for events.', 'for ever'),
        },
        closed,
      ),
    ),
    scheduler: words(
      SCHEDULERS,
      'Where jobs run whose client group names no other: `local` on this machine; `slurm` on a cluster; `external` waits for workers that are not ours.',
      'local',
    ),
    client_groups: opt(
      Type.Record(Type.String({ pattern: '^[^=\\u0000-\\u001f]+$' }), ClientGroup, {
        description:
          'By name: `cpus`, `memory_mb`, `disk_gb` that its jobs get unless the catalog or the caller says otherwise; `regex`, `debug` and `scheduler` if wanted. With any, no other group may be named.',
        default: 'none',
      }),
    ),
    default_client_group: text('The group of jobs of which neither caller nor catalog names one.'),
    override_client_group: text("A group that beats the catalog's, not the caller's."),
    runner: opt(
      Type.Object(
        {
          command: opt(
            Type.Array(Type.String({ minLength: 1 }), {
              minItems: 1,
              description:
                "A job runner to start in place of ours, such as KBase's: a list of words in which `{job_id}` and `{url}` are filled in.",
              default: 'ours',
            }),
          ),
          url: url(
            'What `{url}` is: the address at which that runner reaches this server.',
            '`<this server>/services/ee2`',
          ),
          env: texts('Its environment, beside what EE2 gives.'),
          grace_seconds: natural("How long it may go on after its job's end, to clean up.", 300, 0),
        },
        closed,
      ),
    ),
    slurm: opt(
      Type.Object(
        {
          url: url('How nodes of the cluster reach this server.', '`<this server>`'),
          directory: path('Where runners work on a node; shared between nodes or not.', '`<data directory>/slurm`'),
          package_directory: path('This package as nodes find it.', 'as here'),
          node_command: path('Node as nodes find it.', 'as here'),
          partition: slurmName('The partition of jobs whose client group has none below.', "the cluster's default"),
          partitions: opt(
            Type.Record(Type.String(), Type.String({ pattern: SLURM_NAME }), {
              description: 'By client group: the partition of its jobs.',
            }),
          ),
          accounts: flag('Whether `bill_to_user` is the account that pays.', false),
          allowed_options: opt(
            Type.Array(Type.String({ pattern: '^[a-z][a-z-]*$' }), {
              description:
                'Options of sbatch that a job may ask for in its `scheduler_requirements`. Others are refused.',
              default: SLURM_ALLOWED_OPTIONS.join(', '),
            }),
          ),
          memory: flag(
            'Whether jobs ask for memory (their own and 96 MB for the runner): no, where nodes have no `RealMemory`.',
            true,
          ),
          margin_minutes: natural(
            "Slurm's time limit beyond the job's own; in it a runner outlasts an outage of this server.",
            15,
          ),
          reuse_seconds: natural(
            "So long after its start a task of Slurm's goes on with further jobs of its array when its own has ended; 0: each task carries out one job.",
            30,
            0,
          ),
          requeue: flag(
            'Whether a started job that a dead node or preemption ended is dispatched anew, instead of ending as a platform failure.',
            false,
          ),
          output: path("Where a runner's own complaints go on its node; a pattern of sbatch's.", '/dev/null'),
          bin_directory: path("The directory of Slurm's programs.", 'found by PATH'),
          config_file: path('The `slurm.conf` that they use.', 'as they find it'),
        },
        closed,
      ),
    ),
    token_key_file: text(
      "A file with 32 bytes, as 64 hex digits, that seal callers' tokens while their jobs live. Without, the key is in the database.",
    ),
    auth: words(['builtin', 'kbase'], 'Who knows users and tokens.', 'builtin'),
    workspaces: words(['builtin', 'kbase'], 'Who knows workspaces and their members.', 'builtin'),
    catalog: words(['builtin', 'kbase'], 'Who knows apps and their versions.', 'builtin'),
    kbase: opt(
      Type.Object(
        {
          url: url("The root of KBase's services, from which the addresses below follow.", 'none'),
          auth_url: url('The auth service.', '`<url>/auth`'),
          login_url: url('Its legacy login.', '`<auth_url>/api/legacy/KBase/Sessions/Login`'),
          workspace_url: url('The Workspace.', '`<url>/ws`'),
          catalog_url: url('The Catalog.', '`<url>/catalog`'),
          admin_token_file: text(
            "A file with the service's own token for the Catalog: execution statistics are sent with it, and KBase's runner gets it. Without, neither.",
          ),
          timeout_seconds: natural('For one try of a call; a read is tried three times.', 10),
          token_cache_seconds: natural(
            'How long a token is good here after KBase said so; 0 asks at every call.',
            300,
            0,
          ),
          outage_grace_seconds: natural('How much longer while the auth service can not be asked.', 3600, 0),
        },
        closed,
      ),
    ),
    concierge_user: text('The one user who may use `run_job_concierge`.', 'kbaseconcierge'),
    list_config: opt(
      Type.Unsafe<Partial<Record<ListConfigKey, string>>>({
        type: 'object',
        propertyNames: { enum: [...LIST_CONFIG_KEYS] },
        additionalProperties: { type: 'string' },
        description: 'Values that `list_config` answers, over those that follow from the above.',
      }),
    ),
  },
  closed,
);
export type Config = Static<typeof ConfigSchema>;

export interface Member {
  /** With dots. */
  readonly path: string;
  readonly env: string;
  readonly schema: TSchema;
}

/** What can be set, in the order of the schema; the members of blocks one by one. */
export const MEMBERS: readonly Member[] = membersOf(ConfigSchema, []);

function membersOf(schema: TSchema, path: readonly string[]): Member[] {
  const { properties } = schema as { properties?: Record<string, TSchema> };
  if (properties !== undefined) {
    return Object.entries(properties).flatMap(([name, member]) => membersOf(member, [...path, name]));
  }
  return [{ path: path.join('.'), env: `REPRISE_${path.join('_').toUpperCase()}`, schema }];
}
