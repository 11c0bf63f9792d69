import type { IncomingMessage } from 'node:http';

const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.|^::1$/;
const LOOPBACK_NAME = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/**
 * Whether a request that came over this machine's own address also calls it by a name of its own. A page elsewhere can
 * have its name pointed at this machine; its browser then takes the sandbox for that page's server, and lets the page
 * read and do everything here. Programs may leave the name out.
 * @param publicUrl - where browsers reach the sandbox: a name that was chosen is a name of its own
 */
export function callsByOwnName({ socket, headers }: IncomingMessage, publicUrl: string): boolean {
  const { host } = headers;
  if (host === undefined || !LOOPBACK_ADDRESS.test(socket.localAddress ?? '')) return true;
  return LOOPBACK_NAME.test(host) || host.toLowerCase() === new URL(publicUrl).host;
}
