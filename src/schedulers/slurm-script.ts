/**
 * The batch script of an array: which task is which dispatch, and our runner with its line on stdin. The script is the
 * private channel for tokens: Slurm shows it to its owner only, and neither a command line nor `scontrol show job` has any.
 * No file system is shared with the nodes.
 */
import { join } from 'node:path';
import { TASK_PROGRAM } from '../contract/task.js';

export interface TaskProgram {
  /** Node, as a node of the cluster finds it. */
  readonly nodeCommand: string;
  /** This package, on a node. */
  readonly packageDirectory: string;
  /** Where the runner works, on a node. */
  readonly directory: string;
  /** How nodes reach this server. */
  readonly url: string;
  /** So long after its start a task goes on with further jobs of its array. */
  readonly reuseSeconds: number;
}

export interface ArrayTask {
  readonly index: number;
  readonly dispatchId: string;
  readonly token: string;
}

const PLAIN = /^[A-Za-z0-9_.-]+$/;

export function batchScript(program: TaskProgram, tasks: readonly ArrayTask[]): string {
  const runner = join(program.packageDirectory, TASK_PROGRAM);
  const { url, directory, reuseSeconds } = program;
  const fixed = { url, directory, name: null, reuseSeconds };
  return [
    '#!/bin/sh',
    'export PATH',
    'case $SLURM_ARRAY_TASK_ID in',
    ...tasks.map(({ index, dispatchId, token }) => `${index}) d=${plain(dispatchId)} t=${plain(token)} ;;`),
    '*) exit 64 ;;',
    'esac',
    `exec ${quoted(program.nodeCommand)} ${quoted(runner)} <<LINE`,
    `{"dispatchId":"$d","token":"$t",${inHereDocument(fixed).slice(1)}`,
    'LINE',
    '',
  ].join('\n');
}

/** Ids and tokens are ours; one that a shell could read as more than a word is a mistake of ours. */
function plain(word: string): string {
  if (!PLAIN.test(word)) throw new RangeError('an id or token is not a plain word');
  return word;
}

/** One word for the shell, whatever stands in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** JSON in which the shell finds nothing to expand: in its texts every unusual character is written by its number. */
function inHereDocument(value: Readonly<Record<string, string | number | null>>): string {
  const text = (one: string) =>
    `"${one.replaceAll(/[^A-Za-z0-9 /:._-]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
  const members = Object.entries(value).map(([name, one]) => `"${name}":${typeof one === 'string' ? text(one) : one}`);
  return `{${members.join(',')}}`;
}
