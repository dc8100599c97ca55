/** Manifests as they were recorded, parsed once and kept: a version never changes. */

import { findManifests } from '../store/apps.js';
import type { Db } from '../store/db.js';
import { BoundedMap } from './bounded-map.js';
import { type Manifest, type Method, readManifest } from './manifest.js';
import { type CheckParams, compileParamsSchema } from './params-schema.js';

export interface Version {
  readonly module: string;
  readonly commit: string;
}

export interface KnownMethod extends Method {
  readonly checkParams: CheckParams;
}

export interface KnownManifest {
  readonly methodNames: readonly string[];
  /** Compiled on first use. */
  method(name: string): KnownMethod | undefined;
}

export interface Manifests {
  /** Keyed `module@commit`; one look-up for those that are not in memory. */
  load(versions: readonly Version[]): Promise<Map<string, KnownManifest>>;
}

export const versionKey = ({ module, commit }: Version) => `${module}@${commit}`;

export function createManifests(db: Db, most = 500): Manifests {
  const kept = new BoundedMap<KnownManifest>(most);
  return {
    async load(versions) {
      const found = new Map<string, KnownManifest>();
      const missing = new Map<string, Version>();
      for (const version of versions) {
        const known = kept.get(versionKey(version));
        if (known === undefined) missing.set(versionKey(version), version);
        else found.set(versionKey(version), known);
      }
      for (const row of await findManifests(db, [...missing.values()])) {
        const known = knownManifest(readManifest(row.manifest));
        const key = versionKey({ module: row.module, commit: row.app_commit });
        kept.set(key, known);
        found.set(key, known);
      }
      return found;
    },
  };
}

function knownManifest(manifest: Manifest): KnownManifest {
  const compiled = new Map<string, KnownMethod>();
  return {
    methodNames: [...manifest.methods.keys()],
    method(name) {
      const method = manifest.methods.get(name);
      if (method === undefined) return undefined;
      const known = compiled.get(name) ?? { ...method, checkParams: checkOf(`${manifest.module}.${name}`, method) };
      compiled.set(name, known);
      return known;
    },
  };
}

function checkOf(method: string, { paramsSchema }: Method): CheckParams {
  if (paramsSchema === undefined) return () => null;
  const check = compileParamsSchema(paramsSchema, true);
  return (params) => {
    const reason = check(params);
    return reason === null ? null : `the parameters do not fit ${method}: ${reason}`;
  };
}
