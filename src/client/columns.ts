/** The first row of a CSV: what its columns are called. */

/** Why these can not be the names of columns, as a sentence; null if they can. */
export function columnsProblem(names: readonly string[]): string | null {
  const empty = names.indexOf('');
  if (empty >= 0) return `column ${empty + 1} of the CSV has no name in the first row`;
  const twice = names.find((name, column) => names.indexOf(name) !== column);
  return twice === undefined ? null : `the CSV has two columns named '${twice}'`;
}

/** What seems to separate the columns of what was read with commas: a tab in any name, a semicolon in the only one. */
export function otherSeparator(names: readonly string[]): '\t' | ';' | null {
  if (names.some((name) => name.includes('\t'))) return '\t';
  return names.length === 1 && names[0]?.includes(';') ? ';' : null;
}
