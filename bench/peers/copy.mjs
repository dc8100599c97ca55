/** PostgreSQL's COPY. */
import { from } from 'pg-copy-streams';

/** What takes the text of the rows. */
export const copyInto = (table) => from(`copy ${table} from stdin`);
