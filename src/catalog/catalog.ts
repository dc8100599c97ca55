/** The seam to the catalog of apps. `test/conformance/catalog.ts` runs on every implementation. */
import type { Readable } from 'node:stream';
import type { SchedulerOptions } from '../contract/settings.js';

/** `module.method` at `version`: a tag, a commit, or undefined for `release`. */
export interface MethodRequest {
  readonly method: string;
  readonly version: string | undefined;
}

export interface MethodSpec {
  readonly module: string;
  readonly method: string;
  /** Full commit hash. */
  readonly commit: string;
  /** The tag asked for, or null if a commit was. */
  readonly tag: string | null;
  readonly timeoutMs: number;
  /** Resources: null where the catalog does not say. */
  readonly cpus: number | null;
  readonly memoryMb: number | null;
  readonly diskGb: number | null;
  readonly clientGroup: string | null;
  /** What the catalog asks of the scheduler beyond resources. */
  readonly options?: SchedulerOptions;
  /** Null or the first reason why the parameters (parsed) do not fit the method's schema. */
  checkParams(params: unknown): string | null;
}

export type ResolveCode = 'UNKNOWN_METHOD' | 'VERSION_NOT_FOUND' | 'VERSION_WITHDRAWN' | 'INVALID_INPUT';

export type Resolution =
  | { readonly ok: true; readonly spec: MethodSpec }
  | { readonly ok: false; readonly code: ResolveCode; readonly sentence: string };

/** What a runner needs to run a method at a commit. */
export interface Execution {
  readonly module: string;
  readonly commit: string;
  /** A bare mirror that holds the commit. */
  readonly repository: string;
  /** `{app}` stands for the checkout. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Catalog {
  /** Answers in the order given; equal requests cost one look-up. */
  resolve(requests: readonly MethodRequest[]): Promise<Resolution[]>;
  /** For starting recorded jobs; answers in the order given. */
  executions(jobs: readonly { method: string; commit: string }[]): Promise<Execution[]>;
  /**
   * The files that a recorded job's commit has, as a tar stream, for machines that can not see the mirror. To be read to its
   * end or destroyed; destroyed with an error if it could not be completed.
   */
  archive(job: { method: string; commit: string }): Promise<Readable>;
}
