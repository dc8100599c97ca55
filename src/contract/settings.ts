/** What the operator's configuration says of client groups and of the answers to EE2's questions about the server. */

/** A queue or partition with the resources that its jobs get unless the catalog or the caller says otherwise. */
export interface ClientGroup {
  readonly name: string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly diskGb: number;
  /** Null: unset, which schedulers take as true. */
  readonly regex: boolean | null;
  readonly debugMode: boolean | null;
}

/** The members of `list_config`. KBase's job runner needs the addresses, `scratch` and `ref_data_base` as texts. */
export const LIST_CONFIG_KEYS = [
  'external-url',
  'kbase-endpoint',
  'workspace-url',
  'catalog-url',
  'shock-url',
  'handle-url',
  'srv-wiz-url',
  'auth-service-url',
  'auth-service-url-v2',
  'auth-service-url-allow-insecure',
  'scratch',
  'executable',
  'docker_timeout',
  'initialdir',
  'ref_data_base',
] as const;
export type ListConfigKey = (typeof LIST_CONFIG_KEYS)[number];

export interface ServiceSettings {
  /** None: any client group may be named, and none has resources of its own. */
  readonly clientGroups: readonly ClientGroup[];
  /** For jobs whose caller and catalog name none; one of `clientGroups`. */
  readonly defaultClientGroup: string | null;
  /** Beats the catalog, not the caller; one of `clientGroups`. */
  readonly overrideClientGroup: string | null;
  readonly listConfig: Readonly<Partial<Record<ListConfigKey, string | null>>>;
  /** The one user who may use run_job_concierge. */
  readonly conciergeUser: string;
}

export const DEFAULT_SETTINGS: ServiceSettings = {
  clientGroups: [],
  defaultClientGroup: null,
  overrideClientGroup: null,
  listConfig: {},
  conciergeUser: 'kbaseconcierge',
};

/** What a job asks of its scheduler beyond resources. Kept with the job and passed on with every dispatch. */
export interface SchedulerOptions {
  /** Whether the client group is matched as a regular expression; unset is true. */
  readonly client_group_regex?: boolean;
  /** Whose account pays, instead of the owner's. */
  readonly bill_to_user?: string;
  readonly ignore_concurrency_limits?: boolean;
  readonly scheduler_requirements?: Readonly<Record<string, string>>;
  readonly debug_mode?: boolean;
}
