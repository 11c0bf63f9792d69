import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { answer, type NoAnswer } from './answer.ts';
import { http } from './builtins.ts';
import type { Control } from './control.ts';
import { StripeError } from './errors.ts';
import { type Answer, errorAnswer } from './exchange.ts';
import { callsByOwnName } from './own-name.ts';
import type { World } from './world.ts';

/** Longer than clients keep an idle connection, so that none is closed while a request is on its way. */
const KEEP_ALIVE_MS = 65_000;
const MAX_BODY_BYTES = 1024 * 1024;

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) {
        reject(new StripeError(413, 'invalid_request_error', 'The request is larger than a mebibyte.'));
        return;
      }
      chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
  });
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

async function ask(world: World, control: Control, request: IncomingMessage): Promise<Answer | NoAnswer> {
  if (!callsByOwnName(request, world.baseUrl)) {
    throw new StripeError(
      403,
      'invalid_request_error',
      'The sandbox does not answer to this name. Open it as http://127.0.0.1 with its port.',
    );
  }
  const { method = 'GET', url: path = '/', headers } = request;
  return answer(world, control, { method, path, headers, body: await readBody(request) });
}

/** The HTTP server of a world: the API, the control API and the hosted pages. It does not listen yet. */
export function createSandboxServer(world: World, control: Control): Server {
  const server = http.createServer((request, response) => {
    ask(world, control, request)
      .catch(errorAnswer)
      .then((answered) => {
        if (answered === 'lost') request.socket.destroy();
        else if (answered !== 'hang') send(response, answered);
      });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}
