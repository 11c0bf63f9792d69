import { symbols } from 'pino';
import type { Log } from '../log.ts';
import type { Answered } from './app.ts';

/** What a line says of one answer. Routes are named by pattern: ids of customers stay out of logs. */
export interface AccessLine extends Answered {
  requestId: string;
  keyId: string | undefined;
}

/** Where the lines of a logger go; pino keeps it under a symbol of its public interface. */
type WithStream = Log & { [symbols.streamSym]: { write(text: string): unknown } };

/**
 * Logs one line at `info` for each answer, in the logger's own format. The line is put together by hand and written
 * once per turn of the event loop with its neighbours: the logger's general way, with its search for secrets in every
 * field, costs as much as the answer to a check. None of these fields can hold one.
 */
export function createAccessLog(log: Log): (line: AccessLine) => void {
  const stream = (log as WithStream)[symbols.streamSym];
  let pending = '';
  let millisecond = 0;
  let time = '';

  function write(): void {
    const lines = pending;
    pending = '';
    stream.write(lines);
  }

  return ({ requestId, method, route, status, seconds, keyId }) => {
    if (!log.isLevelEnabled('info')) return;
    const now = Date.now();
    if (now !== millisecond) {
      millisecond = now;
      time = new Date(now).toISOString();
    }
    if (pending === '') setImmediate(write);
    const key = keyId === undefined ? '' : `,"key_id":"${keyId}"`;
    pending += `{"level":"info","time":"${time}","request_id":"${requestId}","method":"${method}","route":"${route}","status":${status},"ms":${(seconds * 1000).toFixed(2)}${key},"msg":"answered"}\n`;
  };
}
