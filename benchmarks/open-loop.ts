/**
 * Requests at a steady rate, whatever the answers take: each has a moment at which it is due, and its latency counts from
 * there, also when it had to wait for a connection. Over plain sockets, so that the generator's own work stays small
 * beside what it measures on a machine of two cores.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface OpenLoop {
  url: string;
  key: string;
  pathOf: () => string;
  perSecond: number;
  seconds: number;
  connections: number;
}

export interface OpenLoopResult {
  /** Milliseconds, sorted. */
  latencies: number[];
  /** Answers that were no 200. */
  failures: number;
}

const HEADER_END = Buffer.from('\r\n\r\n');

export async function openLoop({
  url,
  key,
  pathOf,
  perSecond,
  seconds,
  connections,
}: OpenLoop): Promise<OpenLoopResult> {
  const { hostname, port, host } = new URL(url);
  const latencies: number[] = [];
  let failures = 0;
  const queue: number[] = [];
  const free: Socket[] = [];
  const dueOf = new Map<Socket, number>();

  function next(socket: Socket): void {
    const due = queue.shift();
    if (due === undefined) {
      free.push(socket);
      return;
    }
    dueOf.set(socket, due);
    socket.write(`GET ${pathOf()} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\n\r\n`);
  }

  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(Number(port), hostname).setNoDelay(true);
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      let received: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const end = received.indexOf(HEADER_END);
        if (end === -1) return;
        const head = received.toString('latin1', 0, end);
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
        if (received.length < end + HEADER_END.length + length) return;
        if (!head.startsWith('HTTP/1.1 200')) failures += 1;
        latencies.push(performance.now() - (dueOf.get(socket) ?? Number.NaN));
        received = Buffer.alloc(0);
        next(socket);
      });
      return socket;
    }),
  );
  free.push(...sockets);

  const started = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; ) {
    const now = performance.now();
    for (; sent < total && started + (sent * 1000) / perSecond <= now; sent++) {
      queue.push(started + (sent * 1000) / perSecond);
      const socket = free.pop();
      if (socket !== undefined) next(socket);
    }
    await sleep(1);
  }
  for (let waited = 0; latencies.length < total && waited < 10_000; waited += 10) await sleep(10);
  for (const socket of sockets) socket.destroy();
  latencies.sort((a, b) => a - b);
  return { latencies, failures: failures + (total - latencies.length) };
}
