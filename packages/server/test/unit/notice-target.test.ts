import { describe, expect, it } from 'vitest';
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
    ['https://0.0.0.0/', /no app can have/],
    // As browsers and Node read numbers: the same address in disguise.
    ['https://2852039166/', /no app can have/],
    ['https://0xa9.0xfe.0xa9.0xfe/', /no app can have/],
  ])('%s is refused', (url, message) => {
    expect(endpointProblem(url)).toMatch(message);
  });

  it('knows IPv4 addresses in the clothes of IPv6', () => {
    expect(addressProblem('::ffff:10.0.0.1', 'http:')).toBeNull();
    expect(addressProblem('::ffff:169.254.169.254', 'https:')).toMatch(/no app/);
  });

  it('looks a name up, and refuses what it leads to', async () => {
    const lookup = guardedLookup('http:');
    const address = await new Promise((resolve, reject) =>
      lookup('localhost', {}, (error, found) => (error ? reject(error) : resolve(found))),
    );
    expect(['127.0.0.1', '::1']).toContain(address);
  });
});
