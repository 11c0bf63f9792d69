/** An app that is told of changes, over real HTTP. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A notice as it came. */
export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails where that is missing.
  notice: any;
}

/** An app's endpoint. `answer` decides what it says to each request. */
export class Receiver {
  readonly all: Received[] = [];
  answer: (received: Received) => number | 'cut' | Promise<number> = () => 204;
  #server: Server | undefined;
  url = '';

  async start(): Promise<this> {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const body = Buffer.concat(chunks).toString('utf8');
        const received = { headers: request.headers, body, notice: JSON.parse(body) };
        this.all.push(received);
        const status = await this.answer(received);
        if (status === 'cut') response.destroy();
        else response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks`;
    return this;
  }

  of(customerId: string): Received[] {
    return this.all.filter(({ notice }) => notice.data.customer_id === customerId);
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}
