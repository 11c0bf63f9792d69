import { symbols } from 'pino';
import type { Log } from '../log.ts';

/** What is known of a request once it is answered, for metrics. */
export interface Answered {
  method: string;
  /** The route's pattern, or `unmatched`: bounded, unlike paths. */
  route: string;
  status: number;
  seconds: number;
}

/** What a line says of one answer. Routes are named by pattern: ids of customers stay out of logs. */
export interface AccessLine extends Answered {
  requestId: string;
  keyId: string | undefined;
}

/** Where the lines of a logger go; pino keeps it under a symbol of its public interface. */
type WithStream = Log & { [symbols.streamSym]: { write(text: string): unknown } };

const WRITE_AFTER_MS = 20;
const WRITE_BEYOND_CHARACTERS = 16 * 1024;

/**
 * Logs one line at `info` for each answer, in the logger's own format. The line is put together by hand, and written a
 * few milliseconds later with its neighbours: the logger's general way, with its search for secrets in every field and a
 * system call a line, costs as much as the answer to a check. None of these fields can hold a secret.
 */
export function createAccessLog(log: Log): { add(line: AccessLine): void; flush(): void } {
  const stream = (log as WithStream)[symbols.streamSym];
  let pending = '';
  let timer: NodeJS.Timeout | undefined;
  let millisecond = 0;
  let time = '';

  function write(): void {
    clearTimeout(timer);
    timer = undefined;
    if (pending === '') return;
    const lines = pending;
    pending = '';
    stream.write(lines);
  }
  function add({ requestId, method, route, status, seconds, keyId }: AccessLine): void {
    if (!log.isLevelEnabled('info')) return;
    const now = Date.now();
    if (now !== millisecond) {
      millisecond = now;
      time = new Date(now).toISOString();
    }
    const key = keyId === undefined ? '' : `,"key_id":"${keyId}"`;
    const ms = Math.round(seconds * 100_000) / 100;
    pending += `{"level":"info","time":"${time}","request_id":"${requestId}","method":"${method}","route":"${route}","status":${status},"ms":${ms}${key},"msg":"answered"}\n`;
    if (pending.length > WRITE_BEYOND_CHARACTERS) write();
    else timer ??= setTimeout(write, WRITE_AFTER_MS).unref();
  }

  return { add, flush: write };
}
