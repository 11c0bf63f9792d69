import { describe, expect, it } from 'vitest';
import { redirectProblem, refuseBadRedirect } from '../../src/checkout/redirect.ts';

const ANY: readonly string[] = [];
const OWN = ['https://app.example.com', 'http://localhost:5173'];

describe('a redirect without a list of origins', () => {
  it.each([
    'https://app.example.com/done',
    'https://app.example.com/done?session={CHECKOUT_SESSION_ID}',
    'https://app.example.com/#/done/{CHECKOUT_SESSION_ID}',
    'https://app.example.com:8443/done?next=https%3A%2F%2Fx.example',
    'HTTPS://app.example.com/',
    'http://localhost:5173/done',
    'http://127.0.0.1:3000/done',
    'http://[::1]:3000/done',
    'https://bücher.example/fertig',
    'https://app.example.com/mail@example.com',
  ])('may lead to %s', (url) => {
    expect(redirectProblem(url, ANY)).toBeNull();
  });

  it.each([
    ['http://app.example.com/done', 'may use http on localhost only'],
    ['http://localhost.evil.example/done', 'may use http on localhost only'],
    ['http://127.0.0.1.evil.example/done', 'may use http on localhost only'],
    ['javascript:alert(1)', 'must be a whole URL'],
    ['JavaScript:alert(1)//https://app.example.com', 'must be a whole URL'],
    ['data:text/html,hello', 'must be a whole URL'],
    ['ftp://app.example.com/', 'must be a whole URL'],
    ['//app.example.com/done', 'must be a whole URL'],
    ['/done', 'must be a whole URL'],
    ['https:app.example.com', 'must be a whole URL'],
    ['https:///done', 'must be a whole URL'],
    ['https://', 'must be a whole URL'],
    ['https://app.example.com\\@evil.example/', 'must be a whole URL'],
    ['https:\\\\evil.example', 'must be a whole URL'],
    [' https://app.example.com/', 'must be a whole URL'],
    ['https://app.example.com/\tdone', 'must be a whole URL'],
    ['java\nscript:alert(1)', 'must be a whole URL'],
    ['https://user:secret@app.example.com/', 'must not carry a user name'],
    ['https://app.example.com@evil.example/', 'must not carry a user name'],
    ['https://@evil.example/', 'must not carry a user name'],
    ['https://app.example.com%2eevil.example/', 'percent sign in its host'],
    ['https://app\u00ad.example.com/', 'must be a whole URL'],
    ['https://app.example.com\u200b.evil.example/', 'must be a whole URL'],
    ['https://app.example.com/\u202egro.live', 'must be a whole URL'],
    ['https://{CHECKOUT_SESSION_ID}.evil.example/', 'only behind the host'],
  ])('must not lead to %j', (url, problem) => {
    expect(redirectProblem(url, ANY)).toContain(problem);
  });
});

describe('a redirect with a list of origins', () => {
  it.each(['https://app.example.com/done', 'https://app.example.com:443/', 'http://localhost:5173/x'])(
    'may lead to %s',
    (url) => {
      expect(redirectProblem(url, OWN)).toBeNull();
    },
  );

  it.each([
    'https://evil.example/done',
    'https://app.example.com.evil.example/',
    'https://sub.app.example.com/',
    'https://app.example.com:8443/',
    'http://app.example.com/',
    'http://localhost:3000/',
    'http://127.0.0.1:5173/',
  ])('must not lead to %s', (url) => {
    expect(redirectProblem(url, OWN)).toContain('redirect_origins');
  });

  it.each(['https://%61pp.example.com/', 'https://app.exa\u00admple.com/'])(
    'must not lead to %j, which only some parsers take for one of them',
    (url) => {
      expect(redirectProblem(url, OWN)).not.toBeNull();
    },
  );
});

it('is refused with the name of its field', () => {
  expect(() => refuseBadRedirect('javascript:1', 'cancel_url', ANY)).toThrow(
    expect.objectContaining({
      code: 'redirect_not_allowed',
      errors: [{ path: 'cancel_url', message: expect.stringContaining('whole URL') }],
    }),
  );
});
