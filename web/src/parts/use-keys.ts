/** Keys of a page. They rest while one types, and while a dialog asks something. */
import { useHotkeys } from '@mantine/hooks';

/** `own`: the control that has the focus may use the key too, as a link does Enter. */
export type Key = readonly [key: string, run: () => unknown, how?: 'own'];

export function useKeys(keys: readonly Key[]): void {
  useHotkeys(
    keys.map(([key, run, how]) => [
      key,
      (event) => {
        if (isTyping(event.target) || document.querySelector('[role="dialog"]') !== null) return;
        if (how !== 'own') event.preventDefault();
        run();
      },
      { preventDefault: false },
    ]),
    // a checkbox is an input too, and after a click on one the keys must go on
    [],
  );
}

const NO_TEXT = ['checkbox', 'radio', 'button', 'submit', 'file'];

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !NO_TEXT.includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** On a link or a button Enter is that control's own. */
export const isOnControl = (): boolean => /^(A|BUTTON)$/.test(document.activeElement?.tagName ?? '');
