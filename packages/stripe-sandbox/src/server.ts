import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { answerApi } from './api.ts';
import type { Control } from './control.ts';
import { answerControl } from './control-api.ts';
import { StripeError, unknownUrl } from './errors.ts';
import { callsByOwnName } from './own-name.ts';
import { handlePage } from './pages/index.ts';
import { catchUp } from './time.ts';
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

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function sendError(response: ServerResponse, error: unknown): void {
  const known =
    error instanceof StripeError
      ? error
      : new StripeError(
          500,
          'api_error',
          `The sandbox failed: ${error instanceof Error ? error.message : String(error)}`,
        );
  const headers = { ...known.headers, 'Content-Type': 'application/json' };
  send(response, { status: known.status, headers, body: JSON.stringify(known.envelope(), null, 2) });
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function respond(
  world: World,
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!callsByOwnName(request, world.baseUrl)) {
    throw new StripeError(
      403,
      'invalid_request_error',
      'The sandbox does not answer to this name. Open it as http://127.0.0.1 with its port.',
    );
  }
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  const path = request.url ?? '/';
  const asked = { method, path, headers: request.headers, body: await readBody(request) };
  if (path.startsWith('/v1/')) {
    // A request that is to hang is neither carried out nor answered.
    if (world.faults.hangs(method, path)) return;
    const { latencyMs } = world.faults.settings;
    if (latencyMs > 0) await wait(latencyMs);
    const answer = answerApi(world, asked);
    if (answer.lost) request.socket.destroy();
    else send(response, answer);
    return;
  }
  if (path.startsWith('/_sandbox/')) {
    send(response, await answerControl(control, asked));
    return;
  }
  catchUp(world);
  const page = handlePage(world, asked);
  if (page === null) throw unknownUrl(method, path);
  world.changed();
  send(response, page);
}

/** The HTTP server of a world: the API, the control API and the hosted pages. It does not listen yet. */
export function createSandboxServer(world: World, control: Control): Server {
  const server = createServer((request, response) => {
    respond(world, control, request, response).catch((error: unknown) => {
      if (!response.headersSent) sendError(response, error);
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}
