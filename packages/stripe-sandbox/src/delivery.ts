import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

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

/** Delivers over HTTP and HTTPS, on connections that are kept. */
export class HttpDelivery {
  readonly #agents = {
    http: new HttpAgent({ keepAlive: true, maxSockets: 64 }),
    https: new HttpsAgent({ keepAlive: true, maxSockets: 64 }),
  };
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  readonly deliver: Deliver = ({ url, headers, body }) =>
    new Promise((resolve, reject) => {
      const secure = url.startsWith('https:');
      const options = {
        method: 'POST',
        agent: secure ? this.#agents.https : this.#agents.http,
        timeout: this.#timeoutMs,
        headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
      };
      const sent = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0 }));
        response.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${this.#timeoutMs} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}
