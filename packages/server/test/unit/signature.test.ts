import { describe, expect, test } from 'vitest';
import { verifyEvent } from '../../src/stripe/signature.ts';
import { eventAbout, macOf } from '../support/signed-events.ts';

const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1000;
const body = Buffer.from(JSON.stringify(eventAbout('customer.subscription.updated', { id: 'sub_1' }), null, 2));

function header(secret: string, { at = SECONDS, of = body }: { at?: number; of?: Buffer } = {}): string {
  return `t=${at},v1=${macOf(of, secret, at)}`;
}

function verify(signature: string | undefined, { secrets = ['whsec_new', 'whsec_old'], bytes = body, now = NOW } = {}) {
  return verifyEvent({ webhookSecrets: secrets }, bytes, signature, now);
}

const refused = expect.objectContaining({ code: 'invalid_signature' });

function refusal(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return 'accepted';
}

describe('a signature', () => {
  test('by either of two secrets is accepted while they are rotated', () => {
    expect(verify(header('whsec_new')).type).toBe('customer.subscription.updated');
    expect(verify(header('whsec_old')).object).toEqual({ id: 'sub_1' });
  });

  test('is accepted when one of several in the header matches', () => {
    const both = `t=${SECONDS},v1=${macOf(body, 'whsec_gone', SECONDS)},v1=${macOf(body, 'whsec_old', SECONDS)},v0=00`;
    expect(verify(both).thin).toBe(false);
  });

  test('by the old secret is refused once only the new one is left', () => {
    expect(refusal(() => verify(header('whsec_old'), { secrets: ['whsec_new'] }))).toEqual(refused);
  });

  test('by neither secret is refused', () => {
    expect(refusal(() => verify(header('whsec_other')))).toEqual(refused);
  });

  test('by an empty secret is refused even if one were configured', () => {
    expect(refusal(() => verify(header(''), { secrets: [''] }))).toEqual(refused);
    expect(refusal(() => verify(header(' '), { secrets: [' '] }))).toEqual(refused);
  });

  test('of another body is refused, down to a single byte', () => {
    const spoiled = Buffer.from(body);
    spoiled[spoiled.length - 2] = (spoiled[spoiled.length - 2] ?? 0) ^ 1;
    expect(refusal(() => verify(header('whsec_new'), { bytes: spoiled }))).toEqual(refused);
    expect(refusal(() => verify(header('whsec_new'), { bytes: Buffer.alloc(0) }))).toEqual(refused);
  });

  test('is over bytes: two bodies that decode to the same text do not share one', () => {
    const [broken, replaced] = [Buffer.from([0x7b, 0xff, 0x7d]), Buffer.from('{\ufffd}')];
    expect(refusal(() => verify(header('whsec_new', { of: replaced }), { bytes: broken }))).toEqual(refused);
  });

  test.each([
    ['5 minutes old', -300, true],
    ['older than 5 minutes', -301, false],
    ['5 minutes ahead', 300, true],
    ['further ahead', 301, false],
    ['of the year 3000', 32_503_680_000 - SECONDS, false],
    ['of 1970', -SECONDS, false],
  ])('%s is judged on both sides', (_name, offset, accepted) => {
    const outcome = refusal(() => verify(header('whsec_new', { at: SECONDS + offset })));
    expect(outcome).toEqual(accepted ? 'accepted' : refused);
  });

  test('whose timestamp was changed is refused', () => {
    const moved = header('whsec_new', { at: SECONDS - 4_000 }).replace(`t=${SECONDS - 4_000}`, `t=${SECONDS}`);
    expect(refusal(() => verify(moved))).toEqual(refused);
  });

  test.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['no timestamp', `v1=${macOf(body, 'whsec_new', SECONDS)}`],
    ['no signature', `t=${SECONDS}`],
    ['only a scheme that Stripe uses for tests', `t=${SECONDS},v0=${macOf(body, 'whsec_new', SECONDS)}`],
    ['a timestamp with something behind it', `t=${SECONDS}abc,v1=${macOf(body, 'whsec_new', `${SECONDS}abc`)}`],
    ['a negative timestamp', `t=-1,v1=${macOf(body, 'whsec_new', -1)}`],
    ['two timestamps', `t=${SECONDS},t=1,v1=${macOf(body, 'whsec_new', SECONDS)}`],
    ['half a signature', `t=${SECONDS},v1=${macOf(body, 'whsec_new', SECONDS).slice(0, 32)}`],
    ['rubbish', 'rubbish'],
  ])('of which %s was sent is refused', (_name, signature) => {
    expect(refusal(() => verify(signature))).toEqual(refused);
  });
});

describe('a signed body', () => {
  const read = (text: string | Buffer) => {
    const bytes = Buffer.from(text);
    return verify(header('whsec_new', { of: bytes }), { bytes });
  };

  test.each([
    ['no JSON', 'hello'],
    ['a list', '[]'],
    ['without an id', '{"type":"product.updated"}'],
    ['without a type', '{"id":"evt_1"}'],
    ['with an id that is none', '{"id":"evt 1\'","type":"product.updated"}'],
  ])('that is %s is refused as no event', (_name, text) => {
    expect(refusal(() => read(text))).toEqual(expect.objectContaining({ code: 'invalid_request' }));
  });

  test('of a thin event is read with the object that it names', () => {
    const thin = read(
      JSON.stringify({
        id: 'evt_1',
        object: 'v2.core.event',
        type: 'v1.customer.subscription.updated',
        created: '2027-01-15T08:00:00.000Z',
        livemode: false,
        related_object: { id: 'sub_1', type: 'subscription', url: '/v1/subscriptions/sub_1' },
      }),
    );
    expect(thin).toMatchObject({
      type: 'customer.subscription.updated',
      thin: true,
      createdAt: Date.parse('2027-01-15T08:00:00.000Z'),
      object: { id: 'sub_1' },
    });
  });

  test('loses what PostgreSQL cannot store and what nobody may see', () => {
    const { payload } = read(
      '{"id":"evt_1","type":"x","a":"nul \\u0000","b":"half \\ud83d","c":"\\\\u0000","data":{"object":{"client_secret":"pi_1_secret_2"}}}',
    );
    expect(payload).toMatchObject({
      a: 'nul \ufffd',
      b: 'half \ufffd',
      c: '\\u0000',
      data: { object: { client_secret: '[redacted]' } },
    });
  });
});
