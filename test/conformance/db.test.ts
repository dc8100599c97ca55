import { describe } from 'vitest';
import { databases } from '../support/databases.js';
import { exerciseDb } from './db.js';

describe.each(databases)('the $name database', ({ open }) => exerciseDb(open));
