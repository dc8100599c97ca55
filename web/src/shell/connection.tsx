/** Whether what is shown is kept up to date, in words; also the switch that holds the page still. */
import { Tooltip, UnstyledButton } from '@mantine/core';
import { type Connection, togglePaused, useConnection } from '../api/live.js';
import { useKeys } from '../parts/use-keys.js';

const SAID: Readonly<Record<Exclude<Connection, 'none'>, readonly [word: string, sentence: string]>> = {
  connecting: ['connecting', 'Connecting to the stream of events.'],
  live: ['live', 'The page follows what happens. Press to hold it still ( r ).'],
  lost: ['offline', 'The connection was lost; trying again. What is shown may be old.'],
  paused: ['paused', 'The page holds still. Press to follow again ( r ).'],
  refused: ['not live', 'The server refuses the stream of this page; reload it, or sign in again.'],
};

export function ConnectionSign() {
  const connection = useConnection();
  useKeys([['r', togglePaused]]);
  if (connection === 'none') return null;
  const [word, sentence] = SAID[connection];
  return (
    <>
      <Tooltip label={sentence} multiline w={240}>
        <UnstyledButton
          className={`connection connection-${connection}`}
          aria-pressed={connection === 'paused'}
          aria-label={`updates: ${word}`}
          onClick={togglePaused}
        >
          <span className="connection-dot" aria-hidden="true" />
          <span className="connection-word">{word}</span>
        </UnstyledButton>
      </Tooltip>
      <output className="visually-hidden">{connection === 'lost' ? sentence : ''}</output>
    </>
  );
}
