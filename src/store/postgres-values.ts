/** How values go to a PostgreSQL server and come back: as with the embedded database, by the same code. */
import type pg from 'pg';
import { parserOf } from './embedded-values.js';

const asText = (text: string): string => text;

export const valueParsers = {
  getTypeParser: (oid: number) => parserOf(oid) ?? asText,
} as pg.CustomTypesConfig;
