/** `reprise.json`: what an app says about itself. Strict: a member that is not known is refused, not passed by. */
import { Ajv, type ErrorObject } from 'ajv';
import { type Static, Type } from 'typebox';
import { BadSchema, compileParamsSchema, memberPath } from './params-schema.js';

export interface Method {
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly diskGb: number | null;
  readonly clientGroup: string | null;
  /** Null where the manifest says nothing and the value above is a default. */
  readonly stated: { readonly cpus: number | null; readonly memoryMb: number | null };
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: anything goes. */
  readonly paramsSchema: unknown;
}

export interface Manifest {
  readonly module: string;
  readonly methods: ReadonlyMap<string, Method>;
}

/** The sentence names the member, without the file. */
export class BadManifest extends Error {
  override readonly name = 'BadManifest';
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const MAX_INTEGER = 2_147_483_647;
/** What a method has that says nothing. */
const DEFAULTS = { timeoutMs: 12 * HOUR, cpus: 1, memoryMb: 1024 };

const NAME = {
  pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$',
  description: 'up to 64 letters, digits, _ or -, beginning with a letter',
};
const text = (description: string) => Type.String({ pattern: '^\\P{Cc}+$', maxLength: 200, description });
const whole = Type.Integer({ minimum: 1, maximum: MAX_INTEGER });
const closed = { additionalProperties: false };

const MethodSchema = Type.Object(
  {
    description: Type.Optional(Type.String()),
    command: Type.Array(Type.String(), { minItems: 1 }),
    timeout: Type.Optional(Type.Unsafe<string | number>({ type: ['string', 'integer'] })),
    requirements: Type.Optional(
      Type.Object(
        {
          cpus: Type.Optional(whole),
          memory_mb: Type.Optional(whole),
          disk_gb: Type.Optional(whole),
          client_group: Type.Optional(text('a name without control characters')),
        },
        closed,
      ),
    ),
    env: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        propertyNames: {
          pattern: '^(?!REPRISE_)[A-Za-z_][A-Za-z0-9_]*$',
          description: 'the name of a variable: letters, digits and _; REPRISE_… are ours',
        },
        additionalProperties: { type: 'string' },
      }),
    ),
    params_schema: Type.Optional(Type.Unknown()),
  },
  closed,
);
type MethodMember = Static<typeof MethodSchema>;

const ManifestSchema = Type.Object(
  {
    description: Type.Optional(Type.String()),
    module: Type.String(NAME),
    methods: Type.Unsafe<Record<string, MethodMember>>({
      type: 'object',
      minProperties: 1,
      propertyNames: NAME,
      additionalProperties: MethodSchema,
    }),
  },
  closed,
);

const isManifest = new Ajv({ strict: false, verbose: true, logger: false }).compile<Static<typeof ManifestSchema>>(
  ManifestSchema,
);

/** For `app add`: checks everything, the parameters' schemas too. Throws BadManifest. */
export function parseManifest(json: string): Manifest {
  const manifest = readManifest(json);
  for (const [name, { paramsSchema }] of manifest.methods) {
    try {
      if (paramsSchema !== undefined) compileParamsSchema(paramsSchema);
    } catch (error) {
      if (!(error instanceof BadSchema)) throw error;
      throw new BadManifest(`methods.${name}.params_schema: ${error.message}`, { cause: error });
    }
  }
  return manifest;
}

/** For a manifest that was checked when it was added: its schemas are compiled when they are needed. */
export function readManifest(json: string): Manifest {
  const value = parseJson(json);
  if (!isManifest(value)) throw new BadManifest(sentenceOf(isManifest.errors?.[0]));
  const methods = Object.entries(value.methods).map(([name, member]) => [name, methodOf(name, member)] as const);
  return { module: value.module, methods: new Map(methods) };
}

/** NUL and halves of characters: JSON can spell them, the store and command lines cannot hold them. */
const UNSTORABLE = /\0|\p{Surrogate}/u;

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json, (key, value: unknown) => {
      if (!UNSTORABLE.test(key) && !(typeof value === 'string' && UNSTORABLE.test(value))) return value;
      throw new BadManifest(`a text at '${key}' has a NUL or half a character in it`);
    });
  } catch (error) {
    if (error instanceof BadManifest) throw error;
    throw new BadManifest(`it is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function methodOf(name: string, member: MethodMember): Method {
  const { command, timeout, requirements = {}, env = {}, params_schema: paramsSchema } = member;
  if (command[0] === '') throw new BadManifest(`methods.${name}.command[0] must name a program`);
  return {
    command,
    timeoutMs: timeout === undefined ? DEFAULTS.timeoutMs : durationOf(`methods.${name}.timeout`, timeout),
    cpus: requirements.cpus ?? DEFAULTS.cpus,
    memoryMb: requirements.memory_mb ?? DEFAULTS.memoryMb,
    diskGb: requirements.disk_gb ?? null,
    clientGroup: requirements.client_group ?? null,
    stated: { cpus: requirements.cpus ?? null, memoryMb: requirements.memory_mb ?? null },
    env,
    paramsSchema,
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: 60 * SECOND, h: HOUR, d: 24 * HOUR };

/** `"10m"`, `"1.5h"` or a number of ms. Timers hold 31 bits: about 24 days. */
function durationOf(where: string, value: string | number): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value)) ?? [];
  const asked = typeof value === 'number' ? value : Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN);
  const ms = Math.round(asked);
  if (ms >= 1 && ms <= MAX_INTEGER) return ms;
  throw new BadManifest(
    `${where} is ${JSON.stringify(value)}; give a number with ms, s, m, h or d, such as "10m" (at most "24d"), or a whole number of milliseconds`,
  );
}

function sentenceOf(error: ErrorObject | undefined): string {
  if (error === undefined) return 'it is not a manifest';
  const where = memberPath(error.instancePath).slice(1) || 'the whole';
  const { keyword, params, message, parentSchema } = error;
  if (error.propertyName !== undefined) {
    return `${where} has the name ${JSON.stringify(error.propertyName)}, which must be ${parentSchema?.description}`;
  }
  if (keyword === 'additionalProperties') {
    const known = Object.keys((parentSchema?.properties as object | undefined) ?? {}).join(', ');
    return `${where} has the unknown member '${params.additionalProperty}'; known are ${known}`;
  }
  if (keyword === 'required') return `${where} lacks the member '${params.missingProperty}'`;
  if (keyword === 'minItems' || keyword === 'minProperties') return `${where} must not be empty`;
  if (keyword === 'pattern') return `${where} must be ${parentSchema?.description}`;
  return `${where} ${message ?? 'is wrong'}`;
}
