/** The least that can answer a runner: parses the call, looks up its job, answers JSON. Sends its address to its parent. */
import { createServer } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.argv[2], max: 10 });
const LOOK_UP = { name: 'look_up', text: 'select status from jobs where job_id = $1' };

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', async () => {
    const { params, id } = JSON.parse(text);
    const { rows } = await pool.query({ ...LOOK_UP, values: [params[0].job_id] });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ version: '1.1', id, result: rows }));
  });
});
server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}`));
