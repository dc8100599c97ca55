/** Rows kept by events come to what the server would say, wherever reading and events overlap. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RawJson } from '../../src/contract/raw-json.js';
import type { BatchItem, EventView } from '../../src/contract/schemas.js';
import { isTerminal, TRANSITIONS } from '../../src/contract/status.js';
import { itemLabel } from '../../web/src/batch/item-label.js';
import { countItems, NO_ITEMS, withEvents, withRows } from '../../web/src/batch/items.js';

const at = (n: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, n)).toISOString();
const idOf = (n: number) => n.toString(16).padStart(24, '0');

const KIND = {
  created: 'job.requeued',
  estimating: 'job.estimating',
  queued: 'job.queued',
  running: 'job.started',
  completed: 'job.completed',
  error: 'job.failed',
  terminated: 'job.terminated',
} as const;

/** A batch whose items live by the state machine; every change gives its event, as the server's record does. */
function model(roots: number) {
  let [clock, lastId] = [0, 0];
  const events: EventView[] = [];
  const jobs: BatchItem[] = [];
  const note = (kind: EventView['kind'], jobId: string, payload: object) => {
    const event_id = `1-${events.length}`;
    events.push({
      event_id,
      kind,
      job_id: jobId,
      batch_id: 'b',
      user: 'u',
      actor: null,
      at: at(clock),
      payload: new RawJson(JSON.stringify(payload)),
    });
  };
  const add = (before: BatchItem | undefined) => {
    clock += 1;
    lastId += 1;
    const id = idOf(lastId);
    const row: BatchItem = {
      job_id: id,
      root_id: before?.root_id ?? id,
      retry_number: (before?.retry_number ?? -1) + 1,
      superseded: false,
      status: 'created',
      method: 'm.x',
      commit: 'c',
      params_start: before?.params_start ?? `{"n":${lastId}}`,
      failure_class: null,
      error_start: null,
      created_at: at(clock),
      running_at: null,
      finished_at: null,
    };
    jobs.push(row);
    const lineage = before === undefined ? {} : { root_id: row.root_id, retry_reason: null };
    note('job.created', id, { method: 'm.x', commit: 'c', retry_number: row.retry_number, ...lineage });
  };
  for (let n = 0; n < roots; n += 1) add(undefined);
  return {
    events,
    heads: () => jobs.filter((row) => !row.superseded).map((row) => ({ ...row })),
    step(pick: number, way: number) {
      const heads = jobs.filter((row) => !row.superseded);
      const row = heads[pick % heads.length]!;
      if (isTerminal(row.status)) {
        if (row.status === 'completed') return;
        row.superseded = true;
        return add({ ...row });
      }
      clock += 1;
      const next = TRANSITIONS[row.status][way % TRANSITIONS[row.status].length]!;
      const previous_status = row.status;
      row.status = next;
      if (next === 'running') row.running_at = at(clock);
      if (next === 'created') row.running_at = null;
      if (isTerminal(next)) row.finished_at = at(clock);
      const failure = next === 'error' ? { failure_class: 'app' as const, message: `broke at ${clock}` } : {};
      if (next === 'error') Object.assign(row, { failure_class: 'app', error_start: `broke at ${clock}` });
      note(KIND[next], row.job_id, { previous_status, ...failure });
    },
  };
}

const byRoot = (rows: readonly BatchItem[]) => [...rows].sort((a, b) => (a.root_id < b.root_id ? -1 : 1));
const steps = fc.array(fc.tuple(fc.nat(50), fc.nat(10)), { maxLength: 120 });

describe('items', () => {
  it('are the same whether rows were read before, after or between the events that are told again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), steps, steps, steps, (roots, before, between, after) => {
        const m = model(roots);
        for (const [pick, way] of before) m.step(pick, way);
        // events are followed from here …
        const followed = m.events.length;
        for (const [pick, way] of between) m.step(pick, way);
        // … rows are read here, in two pages …
        const rows = m.heads();
        let items = withRows(NO_ITEMS, rows.slice(0, 3));
        for (const [pick, way] of after) m.step(pick, way);
        items = withRows(items, m.heads().slice(2));
        items = withRows(items, rows);
        // … and all events since are told, in pieces
        const told = m.events.slice(followed);
        for (let from = 0; from < told.length; from += 7) items = withEvents(items, told.slice(from, from + 7));
        expect(byRoot(items.list)).toEqual(byRoot(m.heads()));
      }),
    );
  });

  it('count lineages, never jobs, and keep the order of the batch', () => {
    const m = model(3);
    let items = withRows(NO_ITEMS, m.heads().reverse());
    const seen = m.events.length;
    for (const [pick, way] of [
      [1, 4],
      [1, 0],
    ] as const)
      m.step(pick, way);
    items = withEvents(items, m.events.slice(seen));
    expect(countItems(items.list)).toMatchObject({ created: 3, error: 0 });
    expect(items.list.map((row) => row.root_id)).toEqual([idOf(1), idOf(2), idOf(3)]);
    expect(items.list[1]).toMatchObject({ retry_number: 1, params_start: '{"n":2}' });
  });

  it('leave with the head that the batch gives up, and stay when it gives up an older job', () => {
    const m = model(3);
    let items = withRows(NO_ITEMS, m.heads());
    const seen = m.events.length;
    for (const [pick, way] of [
      [1, 4],
      [1, 0],
    ] as const)
      m.step(pick, way);
    const given = new RawJson(JSON.stringify({ job_ids: [idOf(1), idOf(2)] }));
    const [abandoned] = m.events.map((event) => ({ ...event, kind: 'batch.abandoned', job_id: null, payload: given }));
    items = withEvents(items, [...m.events.slice(seen), abandoned as EventView]);
    expect(items.list.map((row) => row.job_id)).toEqual([idOf(4), idOf(3)]);
  });
});

describe('the label of an item', () => {
  it('is its parameters without the signs of JSON, wherever the text was cut', () => {
    expect(itemLabel('{"name":"phix-7","reads":7000}')).toBe('name: phix-7, reads: 7000');
    expect(itemLabel('"just text"')).toBe('just text');
    expect(itemLabel('[1, 2]')).toBe('1, 2');
    expect(itemLabel('{"a":"one, \\"two\\"","b":"cut of')).toBe('a: one, \\"two\\", b: cut of');
    expect(itemLabel('{ }')).toBeNull();
    expect(itemLabel(null)).toBeNull();
  });
});
