import type { Agent } from 'node:http';
import { http, https } from './builtins.ts';

/** A webhook on its way to an endpoint: a POST. */
export interface DeliveryRequest {
  url: string;
  /** With the `Stripe-Signature` of the body. */
  headers: Record<string, string>;
  /** The event, as JSON. */
  body: string;
}

/** Brings a webhook to its endpoint. A rejection counts as a failed attempt, like a status that is not 2xx. */
export type Deliver = (request: DeliveryRequest) => Promise<{ status: number }>;

const AGENT = { keepAlive: true, maxSockets: 64 };

/** Delivers over HTTP and HTTPS, on connections that are kept. */
export class HttpDelivery {
  readonly #agent = new http.Agent(AGENT);
  #secureAgent: Agent | null = null;
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  readonly deliver: Deliver = ({ url, headers, body }) =>
    new Promise((resolve, reject) => {
      const secure = url.startsWith('https:');
      const options = {
        method: 'POST',
        agent: secure ? this.#secure() : this.#agent,
        timeout: this.#timeoutMs,
        headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
      };
      const sent = (secure ? https() : http).request(url, options, (response) => {
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0 }));
        response.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${this.#timeoutMs} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });

  close(): void {
    this.#agent.destroy();
    this.#secureAgent?.destroy();
  }

  #secure(): Agent {
    this.#secureAgent ??= new (https().Agent)(AGENT);
    return this.#secureAgent;
  }
}
