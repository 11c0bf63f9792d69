import type { FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';
import { type Answered, createAccessLog } from './access-log.ts';

/** Told of every answer when it is handed to the connection. */
export interface Observer {
  observe(request: FastifyRequest, status: number): void;
  /** Writes the lines that wait to be written. */
  flush(): void;
}

declare module 'fastify' {
  interface FastifyInstance {
    observe: Observer['observe'];
  }
  interface FastifyRequest {
    /** `performance.now()` at the arrival. */
    arrivedAt: number;
  }
}

/**
 * One line in the log and one observation for each answer. The framework's `onResponse` would come a little later, when
 * the last byte is with the kernel, at the price of listeners on every response: a third of what a check costs.
 */
export function createObserver(options: { log: Log; onAnswered?: (answered: Answered) => void }): Observer {
  const lines = createAccessLog(options.log);
  const { onAnswered } = options;
  return {
    observe: (request, status) => {
      const { method, route } = request;
      const seconds = (performance.now() - request.arrivedAt) / 1000;
      lines.add({ requestId: request.id, method, route, status, seconds, keyId: request.principal?.keyId });
      onAnswered?.({ method, route, status, seconds });
    },
    flush: lines.flush,
  };
}
