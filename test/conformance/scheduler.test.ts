import { openLocal } from '../support/local-scheduler.js';
import { schedulerConformance } from './scheduler.js';

schedulerConformance('local', openLocal);
