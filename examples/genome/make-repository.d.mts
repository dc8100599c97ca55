export function makeRepository(directory: string): [older: string, newer: string];
