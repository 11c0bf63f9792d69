import type { FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';

declare module 'fastify' {
  interface FastifyInstance {
    serviceLog: Log;
  }
}

/** A logger that names the request. Made only where something is said: making one costs as much as a check. */
export function requestLog(request: FastifyRequest): Log {
  return request.server.serviceLog.child({ request_id: request.id });
}
