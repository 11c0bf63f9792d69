/** The yardstick: a bare `node:http` server that sends the bytes and headers of ANSWER_FILE to every request on PORT. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const answer = JSON.parse(readFileSync(process.env.ANSWER_FILE ?? '', 'utf8')) as { headers: string[]; body: string };
const body = Buffer.from(answer.body);
createServer((_request, response) => {
  response.writeHead(200, answer.headers);
  response.end(body);
}).listen(Number(process.env.PORT), '127.0.0.1', () => process.stdout.write('listening\n'));
