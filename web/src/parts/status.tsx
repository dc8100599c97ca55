/** How states look. Colour is never the only sign. */
import type { BatchState, Status } from '../../../src/contract/status.js';
import { Icon, type IconName } from './icons.js';
import { countsSentence, type Group, groupOf, wordOf } from './states.js';

const ICONS: Readonly<Record<Group, IconName>> = {
  failed: 'cross',
  cancelled: 'slash',
  running: 'play',
  waiting: 'clock',
  completed: 'check',
};

export function StatusBadge({ status }: { status: Status }) {
  return <GroupBadge group={groupOf(status)} word={wordOf(status)} />;
}

const BATCH_GROUP: Readonly<Record<BatchState, Group>> = {
  empty: 'waiting',
  waiting: 'waiting',
  running: 'running',
  completed: 'completed',
  error: 'failed',
  terminated: 'cancelled',
};

export function BatchBadge({ state, cancelled }: { state: BatchState; cancelled: boolean }) {
  const group = BATCH_GROUP[state];
  const word = state === 'empty' ? 'empty' : group;
  return <GroupBadge group={group} word={cancelled && group !== 'cancelled' ? `${word}, cancelled` : word} />;
}

function GroupBadge({ group, word }: { group: Group; word: string }) {
  return (
    <span className={`status status-${group}`}>
      <Icon name={ICONS[group]} size={14} />
      {word}
    </span>
  );
}

const BAR_ORDER: readonly Group[] = ['completed', 'running', 'failed', 'cancelled', 'waiting'];

export function ProgressBar({ groups, tall = false }: { groups: Readonly<Record<Group, number>>; tall?: boolean }) {
  return (
    <div className={tall ? 'progress progress-tall' : 'progress'} role="img" aria-label={countsSentence(groups)}>
      {BAR_ORDER.filter((group) => groups[group] > 0).map((group) => (
        <span key={group} className={`segment segment-${group}`} style={{ flexGrow: groups[group] }} />
      ))}
    </div>
  );
}
