/** A line with its terminal colours. Other control characters are shown, not obeyed. */
import Anser from 'anser';
import { memo } from 'react';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** Sequences that set colours begin with ESC [ and end with m; these are the others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const OTHERS = /\u001b(?:\[[\d;?]*[A-Za-ln-z]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()]\w|[A-Za-z=>])/g;

export const AnsiText = memo(({ text }: { text: string }) => {
  const plain = text.replace(OTHERS, '');
  if (!plain.includes('\u001b[')) return shown(plain);
  const parts = Anser.ansiToJson(plain, { json: true, remove_empty: true, use_classes: true });
  return parts.map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one line never move
    <span key={index} className={classesOf(part)}>
      {shown(part.content)}
    </span>
  ));
});
AnsiText.displayName = 'AnsiText';

function shown(text: string): string {
  return text.replace(CONTROL, (sign) => (sign === '\r' ? '' : '\ufffd'));
}

/** Only names we know become classes. */
const COLOUR = /^ansi-(?:bright-)?(?:black|red|green|yellow|blue|magenta|cyan|white)$/;

function classesOf({
  fg,
  bg,
  decorations,
}: {
  fg: string | null;
  bg: string | null;
  decorations: readonly string[];
}): string {
  const colours = [fg !== null && COLOUR.test(fg) ? `${fg}-fg` : '', bg !== null && COLOUR.test(bg) ? `${bg}-bg` : ''];
  const marks = decorations
    .filter((name) => ['bold', 'dim', 'italic', 'underline'].includes(name))
    .map((name) => `ansi-${name}`);
  return [...colours, ...marks].filter((name) => name !== '').join(' ');
}
