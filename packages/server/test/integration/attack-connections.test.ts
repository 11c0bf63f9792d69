/** Connections that are held, malformed or never finished. */
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('a stop', () => {
  it('does not wait for a client that keeps the connection of its last request', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = () => {};
    const underWay = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const service = await startHttp(database, {}, (app) => {
      app.get('/held', { config: { access: { public: true } }, schema: { hide: true } }, async () => {
        arrived();
        await held;
        return 'done';
      });
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answered = new Promise<void>((resolve, reject) => {
      get(`${service.url}/held`, { agent }, (answer) => answer.resume().on('end', resolve)).on('error', reject);
    });
    await underWay;
    const stopped = service.close().then(() => 'stopped');
    release();
    await answered;
    // Keep-alive would hold it for 72 s.
    expect(await Promise.race([stopped, sleep(20_000, 'still there')])).toBe('stopped');
    agent.destroy();
  });
});

describe('bytes that are no proper request', () => {
  let service: HttpService;
  beforeAll(async () => {
    service = await startHttp(database);
  });
  afterAll(() => service.close());

  /** What comes back until the service hangs up. */
  async function send(text: string): Promise<string> {
    return await new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1', () => socket.write(text));
      let got = '';
      socket.on('data', (chunk) => {
        got += chunk.toString();
      });
      socket.on('close', () => resolve(got));
      socket.on('error', reject);
    });
  }

  const head = 'Host: localhost\r\nConnection: close\r\n';

  it.each([
    ['two lengths', `POST /x HTTP/1.1\r\n${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`, 400],
    [
      'a length beside chunks',
      `POST /x HTTP/1.1\r\n${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['an unknown coding', `POST /x HTTP/1.1\r\n${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 404],
    ['a space in a header’s name', `GET /openapi.json HTTP/1.1\r\nHost : localhost\r\n\r\n`, 400],
    ['line feeds alone', `GET /openapi.json HTTP/1.1\nHost: localhost\n\n`, 400],
    ['no host', 'GET /openapi.json HTTP/1.1\r\n\r\n', 400],
    ['no known method', `FOO /openapi.json HTTP/1.1\r\n${head}\r\n`, 400],
    ['headers without end', `GET /openapi.json HTTP/1.1\r\n${head}X: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['TRACE', `TRACE /openapi.json HTTP/1.1\r\n${head}X-Secret: echo-me\r\n\r\n`, 405],
    ['OPTIONS', `OPTIONS /openapi.json HTTP/1.1\r\n${head}Origin: http://evil.example\r\n\r\n`, 405],
    ['HEAD', `HEAD /openapi.json HTTP/1.1\r\n${head}\r\n`, 405],
  ])('are answered once, by a refusal: %s', async (_, text, status) => {
    const got = await send(text);
    expect(got.split('HTTP/1.1 ')).toHaveLength(2);
    // A second answer would be taken for that of the next request by a proxy that shares the connection.
    expect(got.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(got).not.toContain('echo-me');
    expect(got.toLowerCase()).not.toContain('access-control-allow');
  });
});

describe('whatever is answered', () => {
  it('carries the headers that keep browsers from making anything of it, refusals included', async () => {
    const service = await startHttp(database);
    for (const [method, path] of [
      ['GET', '/openapi.json'],
      ['GET', '/nothing'],
      ['DELETE', '/openapi.json'],
      ['GET', '/api/v1/admin/projects'],
      ['GET', '/%E0%A4%A'],
      ['GET', `/api/v1/admin/projects/${'x'.repeat(3_000)}`],
    ] as const) {
      const { headers } = await fetch(service.url + path, { method });
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
      expect(headers.get('content-security-policy'), path).toContain("frame-ancestors 'none'");
      expect(headers.get('access-control-allow-origin'), path).toBeNull();
    }
    await service.close();
  });
});
