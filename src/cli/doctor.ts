/** `reprise doctor`: whether the record is whole. Asks the server that has it, or opens it when none runs. */
import { type Command, Option } from 'commander';
import { RepriseError } from '../contract/errors.js';
import type { Examination, Finding } from '../contract/schemas.js';
import { asking, type Common } from './options.js';
import { clearProgress, EXIT, exitWith, paint, print, printJson, say, showProgress } from './output.js';
import { configOf } from './serve-config.js';
import { connect, dataDirOf } from './session.js';
import { counted, safeLine, thousands } from './text.js';

interface DoctorOptions extends Common {
  readonly repair?: true;
  readonly databaseUrl?: string;
}

const AFTER = `
Checks every invariant over the whole record, a stretch at a time; a server
that runs goes on working. Without --repair nothing is changed. What is mended
is written to the record as an event. Exit code 1: something does not hold and
is not mended.

Examples:
  reprise doctor
  reprise doctor --repair --json
  reprise doctor --database-url postgres://reprise@db/reprise`;

export function addDoctor(program: Command): void {
  asking(program.command('doctor'))
    .description('check that the record is whole, and mend what can be mended')
    .addOption(new Option('--repair', 'mend what can be mended'))
    .addOption(new Option('--database-url <url>', 'of a PostgreSQL server, without asking a server of ours'))
    .addHelpText('after', AFTER)
    .action(doctor);
}

/** One stretch of the record. */
type Examine = (cursor: string | null, repair: boolean) => Promise<Examination>;

interface Report {
  readonly looked: Record<string, number>;
  readonly found: number;
  readonly mended: number;
  readonly left: number;
  readonly checks: readonly Summary[];
}
interface Summary {
  readonly check: string;
  readonly rule: string;
  readonly found: number;
  readonly mended: number;
  readonly examples: readonly { readonly id: string; readonly detail: string; readonly mended: boolean }[];
}

const EXAMPLES = 5;
const STRETCH_MS = 1_000;

async function doctor(o: DoctorOptions): Promise<void> {
  const { examine, close } = await findRecord(o);
  try {
    const report = await examineAll(examine, o.repair === true);
    if (o.json) printJson(report);
    else printReport(report);
    if (report.left > 0) exitWith(EXIT.error);
  } finally {
    await close();
  }
}

async function findRecord(o: DoctorOptions): Promise<{ examine: Examine; close: () => Promise<void> }> {
  const asked = await serverOf(o);
  if (asked !== null) return { examine: asked, close: async () => undefined };
  const { examineFor, openRecord } = await import('../offline.js');
  const dataDir = dataDirOf(o);
  const { database_url } = configOf({ ...(o.databaseUrl !== undefined && { databaseUrl: o.databaseUrl }) }, dataDir);
  const db = await openRecord({ dataDir, databaseUrl: database_url });
  return {
    examine: (cursor, repair) => examineFor(db, cursor, { repair, budgetMs: STRETCH_MS }),
    close: () => db.close(),
  };
}

/** Null: none is known, or the one that was has ended. */
async function serverOf(o: DoctorOptions): Promise<Examine | null> {
  if (o.databaseUrl !== undefined) return null;
  try {
    const session = connect(o);
    await session.call('version', {});
    return (cursor, repair) => session.call('examine', { ...(cursor !== null && { cursor }), repair });
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'UNAVAILABLE' && !process.env.REPRISE_URL) return null;
    throw error;
  }
}

async function examineAll(examine: Examine, repair: boolean): Promise<Report> {
  const looked: Record<string, number> = {};
  const summaries = new Map<string, Summary>();
  for (let cursor: string | null = null; ; ) {
    const stretch: Examination = await examine(cursor, repair);
    for (const [area, count] of Object.entries(stretch.looked)) looked[area] = (looked[area] ?? 0) + count;
    for (const finding of stretch.findings) summaries.set(finding.check, summed(summaries.get(finding.check), finding));
    showProgress(`looked at: ${lookedText(looked)}`);
    cursor = stretch.next_cursor;
    if (cursor === null) break;
  }
  clearProgress();
  const checks = [...summaries.values()];
  const sum = (of: (summary: Summary) => number) => checks.reduce((total, one) => total + of(one), 0);
  const [found, mended] = [sum((one) => one.found), sum((one) => one.mended)];
  return { looked, found, mended, left: found - mended, checks };
}

function summed(before: Summary | undefined, { check, rule, id, detail, mended }: Finding): Summary {
  const known = before ?? { check, rule, found: 0, mended: 0, examples: [] };
  const examples = known.examples.length < EXAMPLES ? [...known.examples, { id, detail, mended }] : known.examples;
  return { ...known, found: known.found + 1, mended: known.mended + Number(mended), examples };
}

const lookedText = (looked: Record<string, number>) =>
  Object.entries(looked)
    .filter(([area]) => area !== 'schema')
    .map(([area, count]) => `${area} ${thousands(count)}`)
    .join(', ');

function printReport({ looked, found, mended, left, checks }: Report): void {
  for (const { check, rule, found: here, mended: done, examples } of checks) {
    print(`${paint('red', check)}  ${here} found${done > 0 ? `, ${done} mended` : ''}: it should hold that ${rule}`);
    for (const { id, detail, mended: isMended } of examples) {
      print(`  ${id}  ${safeLine(detail)}${isMended ? '  (mended)' : ''}`);
    }
    if (here > examples.length) print(`  and ${here - examples.length} more`);
  }
  say(`looked at: ${lookedText(looked)}`);
  say(found === 0 ? 'the record is whole' : `${counted(found, 'flaw')} found, ${mended} mended, ${left} left`);
}
