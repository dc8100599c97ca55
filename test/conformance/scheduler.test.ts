import { openLocal } from '../support/local-scheduler.js';
import { openOnCluster, openOnFake } from '../support/slurm-scheduler.js';
import { schedulerConformance } from './scheduler.js';

schedulerConformance('local', openLocal);
schedulerConformance('slurm, its programs a fake', openOnFake);
schedulerConformance('slurm, a real cluster', openOnCluster);
