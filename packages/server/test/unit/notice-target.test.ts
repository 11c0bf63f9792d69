import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { sendOverHttp } from '../../src/notices/send.ts';
import { addressProblem, endpointProblem, guardedLookup } from '../../src/notices/target.ts';

describe('where notices may go', () => {
  it.each([
    'https://app.example.com/tollgate',
    'https://app.example.com:8443/a?b=c',
    'http://localhost:8080/hooks',
    'http://127.0.0.1:8080/',
    'http://[::1]:8080/',
    'http://10.1.2.3/hooks',
    'http://app:3000/hooks',
    'https://192.168.0.7/',
    'https://[64:ff9b::93.184.216.34]/',
    'http://[fd12:3456::1]/',
    'http://[::ffff:0:10.1.2.3]/',
    'https://[2001:1::1]/',
  ])('%s is fine', (url) => {
    expect(endpointProblem(url)).toBeNull();
  });

  it.each([
    ['', /whole URL/],
    ['app.example.com', /whole URL/],
    ['ftp://app.example.com', /whole URL/],
    ['https://app.example.com/a b', /whole URL/],
    ['https://user:pass@app.example.com/', /user name/],
    ['https://app.example.com/#part', /fragment/],
    ['http://93.184.216.34/', /use https/],
    ['http://169.254.169.254/latest/meta-data', /no app can have/],
    ['https://169.254.169.254/', /no app can have/],
    ['https://[fe80::1]/', /no app can have/],
    ['https://[fd00:ec2::254]/', /no app can have/],
    ['https://[::ffff:169.254.169.254]/', /no app can have/],
    ['http://[::ffff:93.184.216.34]/', /use https/],
    ['http://[fd20:ce::254]/computeMetadata/v1/', /no app can have/],
    ['http://100.100.100.200/latest/meta-data', /no app can have/],
    // What a gateway turns into IPv4: NAT64, 6to4, and the form that came before.
    ['https://[64:ff9b::169.254.169.254]/', /no app can have/],
    ['https://[64:ff9b:1::a9fe:a9fe]/', /no app can have/],
    ['https://[2002:a9fe:a9fe::1]/', /no app can have/],
    ['https://[::169.254.169.254]/', /no app can have/],
    ['https://[::ffff:0:169.254.169.254]/', /no app can have/],
    // Teredo, which hides its IPv4 address among others: no app is found there.
    ['https://[2001:0:a9fe:a9fe::1]/', /no app can have/],
    ['https://[2001::5601:5601]/', /no app can have/],
    ['https://0.0.0.0/', /no app can have/],
    // As browsers and Node read numbers: the same address in disguise.
    ['https://2852039166/', /no app can have/],
    ['https://0xa9.0xfe.0xa9.0xfe/', /no app can have/],
  ])('%s is refused', (url, message) => {
    expect(endpointProblem(url)).toMatch(message);
  });

  it.each([
    'http://127.0.0.1:3001/_sandbox/reset',
    'https://127.0.0.1:3001/',
    'http://127.9.9.9:3001/',
    'http://[::1]:3001/',
    'http://[::ffff:127.0.0.1]:3001/',
    'http://127.0.0.1/',
  ])('%s is refused where the service itself answers there', (url) => {
    expect(endpointProblem(url)).toBeNull();
    expect(endpointProblem(url, [80, 3001])).toMatch(/Tollgate's own/);
  });

  it('another port of this machine, or that port of another machine, is fine', () => {
    for (const url of ['http://127.0.0.1:3002/', 'http://10.1.2.3:3001/', 'https://app.example.com:3001/']) {
      expect([url, endpointProblem(url, [80, 3001])]).toEqual([url, null]);
    }
  });

  it('knows IPv4 addresses in the clothes of IPv6', () => {
    expect(addressProblem('::ffff:10.0.0.1', new URL('http://x/'))).toBeNull();
    expect(addressProblem('::ffff:169.254.169.254', new URL('https://x/'))).toMatch(/no app/);
  });

  it('looks a name up, and refuses what it leads to', async () => {
    const url = new URL('http://localhost:3001/');
    const own = await new Promise((resolve) => guardedLookup(url, [3001])('localhost', {}, resolve));
    expect(own).toMatchObject({ message: expect.stringContaining("Tollgate's own") });
    const lookup = guardedLookup(url);
    const address = await new Promise((resolve, reject) =>
      lookup('localhost', {}, (error, found) => (error ? reject(error) : resolve(found))),
    );
    expect(['127.0.0.1', '::1']).toContain(address);
  });
});

describe('a notice that is sent', () => {
  it.each([
    [
      'an offer to speak another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['nonsense', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a header without end', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`],
    ['nothing', ''],
  ])('has failed, and holds nobody up, when the answer is %s', async (_, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const outcome = await sendOverHttp({ url, headers: {}, body: '{}', signal: new AbortController().signal });
      expect(outcome).toEqual({ error: expect.any(String) });
    } finally {
      server.close();
    }
  });
});
