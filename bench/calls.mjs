/** Calls on connections that stay, as cheap as they can be: who measures a server should not be what is measured. */
import { Agent, request } from 'node:http';
import { rpcBody } from './server.mjs';

/** `connections` at once. Every call answers the text; a refusal throws. */
export function keptCalls({ url, token }, connections = 1) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(url);
  const send = (method, path, headers, body) =>
    new Promise((done, failed) => {
      const options = { agent, hostname, port, method, path, headers };
      const sent = request(options, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('end', () => (answer.statusCode === 200 ? done(text) : failed(new Error(`${path}: ${text}`))));
        answer.on('error', failed);
      });
      sent.on('error', failed);
      sent.end(body);
    });
  const json = { 'content-type': 'application/json' };
  return {
    get: (path) => send('GET', `/api/v1${path}`, { authorization: `Bearer ${token}` }),
    rpc: (method, params) => send('POST', '/services/ee2', { ...json, authorization: token }, rpcBody(method, params)),
    /** What runners of ours say; every report carries its own token. */
    report: async (reports) =>
      JSON.parse(await send('POST', '/api/v1/worker/reports', json, JSON.stringify({ reports }))).answers,
    close: () => agent.destroy(),
  };
}
