/**
 * What tasks that died on this machine left behind. Their processes are ended. A result that was not delivered is told; of
 * one that had none, only the lines: how it ended is for the scheduler to say.
 */

import { foundWithin } from './cgroups.js';
import type { OpenEntry } from './journal.js';
import { endOrphans, openFor, spoolOfOrphan } from './orphans.js';
import type { Reporter } from './reporter.js';
import type { TaskPlace, TaskPlaces } from './task-places.js';

export interface DeadTasksOptions {
  readonly places: TaskPlaces;
  readonly reporter: Reporter;
  readonly cgroupOf: (dispatchId: string) => string;
  readonly log: (message: string, detail?: object) => void;
}

/** Resolves when all is told. */
export async function speakForDead(options: DeadTasksOptions): Promise<void> {
  await Promise.all(options.places.takeOver().map((place) => speakForOne(options, place)));
}

async function speakForOne({ reporter, cgroupOf, log }: DeadTasksOptions, place: TaskPlace): Promise<void> {
  const { dispatchId, directory } = place;
  const entry = notesOf(place);
  const found = () => foundWithin(cgroupOf(dispatchId));
  await endOrphans({ found }, new Map(entry === null ? [] : [[dispatchId, entry]]));
  if (entry !== null) {
    log('a task of this machine died; what it left is told', { dispatch: dispatchId });
    await tell(reporter, entry, directory);
  }
  place.close();
}

/** Killed in the middle of its first line it has told nobody anything. */
function notesOf(place: TaskPlace): OpenEntry | null {
  try {
    return place.notes();
  } catch {
    return null;
  }
}

async function tell(reporter: Reporter, entry: OpenEntry, directory: string): Promise<void> {
  const channel = openFor(reporter, entry.submitted.token, spoolOfOrphan(directory, entry));
  if (!entry.ended?.finish) return channel.leave();
  channel.finish(entry.ended.finish);
  return channel.gone();
}
