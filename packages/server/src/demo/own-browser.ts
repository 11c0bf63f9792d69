import type { FastifyRequest } from 'fastify';
import { isLoopbackHost } from '../projects/origins.ts';

/** What proxies and tunnels add: whoever is behind them is somewhere else, though the proxy runs on this machine. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'cf-connecting-ip'];

function hostnameOf(host: string | undefined): string | null {
  if (host === undefined || !/^[a-z0-9.:[\]-]+$/i.test(host) || !URL.canParse(`http://${host}`)) return null;
  return new URL(`http://${host}`).hostname;
}

/**
 * Whether a request comes from this machine and knows it by a name of its own. The second half is what keeps out a page
 * elsewhere whose name was pointed at this machine.
 */
export function isFromThisMachine(request: FastifyRequest): boolean {
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  const hostname = hostnameOf(request.headers.host);
  return (address === '::1' || address.startsWith('127.')) && hostname !== null && isLoopbackHost(hostname);
}

/** Whether a form was sent by the page itself, or by a program, which sends no `Origin`. */
export function isOwnForm(request: FastifyRequest): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin, host } = request.headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}
