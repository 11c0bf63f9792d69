import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Stripe from 'stripe';
import { onTestFinished } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/index.ts';

/** The official client, speaking to a sandbox. */
export function clientOf(sandbox: Sandbox, options: Record<string, unknown> = {}): Stripe {
  return new Stripe('sk_test_sandbox', {
    host: '127.0.0.1',
    port: sandbox.port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
    ...options,
  });
}

/** A sandbox and its client, for one test. */
export async function sandboxWithClient(
  options: SandboxOptions = {},
): Promise<{ sandbox: Sandbox; stripe: Stripe; control: Sandbox['control'] }> {
  const sandbox = await startSandbox(options);
  onTestFinished(() => sandbox.close());
  return { sandbox, stripe: clientOf(sandbox), control: sandbox.control };
}

/** One delivery as it came in. */
export interface Received {
  body: string;
  signature: string;
  event: Stripe.Event;
}

/** A receiver of webhooks that keeps what it gets. */
export async function receiver(
  answer: (received: Received, count: number) => number = () => 200,
): Promise<{ url: string; secret: string; received: Received[]; types: () => string[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const entry = {
        body,
        signature: String(request.headers['stripe-signature']),
        event: JSON.parse(body) as Stripe.Event,
      };
      received.push(entry);
      response.writeHead(answer(entry, received.length)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/webhooks`,
    secret: 'whsec_test_secret',
    received,
    types: () => received.map(({ event }) => event.type),
  };
}
