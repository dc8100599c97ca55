/**
 * The parameters of an item, short and without the signs of JSON: `name: phix-7, reads: 7000`. The text may be cut off
 * anywhere, so this is done on its characters. Null when there are none.
 */
export function itemLabel(paramsStart: string | null): string | null {
  if (paramsStart === null || /^\s*(null|\{\s*\})\s*$/.test(paramsStart)) return null;
  return paramsStart
    .replace(/^\s*[{[]\s*|\s*[}\]]\s*$/g, '')
    .replace(/"((?:[^"\\]|\\.)*)"\s*:\s*/g, '$1: ')
    .replace(/"((?:[^"\\]|\\.)*)"?/g, '$1')
    .replace(/,(?=\S)/g, ', ');
}
