import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSealer, SealError } from '../../src/platform/sealing.ts';

const [older, newer, foreign] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const WHERE = 'connections/acme/secret_key';

describe('a sealed secret', () => {
  const sealer = createSealer([newer, older]);
  const sealed = sealer.seal('sk_test_1234567890', WHERE);

  it('opens to what it was, and shows nothing of it', () => {
    expect(sealer.open(sealed, WHERE)).toBe('sk_test_1234567890');
    expect(sealed).not.toContain('sk_test');
    expect(Buffer.from(sealed.split('.')[3] ?? '', 'base64url').toString('latin1')).not.toContain('1234567890');
  });

  it('is different each time', () => {
    expect(sealer.seal('sk_test_1234567890', WHERE)).not.toBe(sealed);
  });

  it('opens nowhere else than where it belongs', () => {
    expect(() => sealer.open(sealed, 'connections/other/secret_key')).toThrow(SealError);
  });

  it('does not open once a bit of it was changed', () => {
    const parts = sealed.split('.');
    const bytes = Buffer.from(parts[3] ?? '', 'base64url');
    for (const at of [0, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const text = [...parts.slice(0, 3), changed.toString('base64url')].join('.');
      expect(() => sealer.open(text, WHERE)).toThrow(/was changed/);
    }
    expect(() => sealer.open([...parts.slice(0, 3), ''].join('.'), WHERE)).toThrow(SealError);
  });

  it('opens under an older key while that is still given, and says that it wants sealing again', () => {
    const before = createSealer([older]).seal('whsec_1', WHERE);
    expect(sealer.open(before, WHERE)).toBe('whsec_1');
    expect(sealer.isCurrent(before)).toBe(false);
    expect(sealer.isCurrent(sealed)).toBe(true);
  });

  it('names the setting when no key opens it', () => {
    expect(() => createSealer([foreign]).open(sealed, WHERE)).toThrow(/TOLLGATE_ENCRYPTION_KEY/);
  });

  it.each(['', 'sk_live_in_the_clear', 'v2.a.b.c', 'v1.a.b.c.d'])('is not what "%s" is', (text) => {
    expect(() => sealer.open(text, WHERE)).toThrow(SealError);
  });

  it('needs a key', () => {
    expect(() => createSealer([])).toThrow('needs a key');
  });
});
