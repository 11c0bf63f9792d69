const MIN_LENGTH = 24;
const MIN_BITS = 80;
const COMMON = /change.?me|password|secret|example|12345|qwerty|letmein|admin|tollgate/i;

/**
 * Whether a secret can pass for random: long, of many different characters, not a phrase repeated and without the words
 * that placeholders are made of. An estimate, on the side of refusing.
 */
export function isStrongSecret(secret: string): boolean {
  if (secret.length < MIN_LENGTH || COMMON.test(secret) || /^(.+?)\1+$/.test(secret)) {
    return false;
  }
  const counts = new Map<string, number>();
  for (const character of secret) {
    counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  let bitsPerCharacter = 0;
  for (const count of counts.values()) {
    const share = count / secret.length;
    bitsPerCharacter -= share * Math.log2(share);
  }
  return bitsPerCharacter * secret.length >= MIN_BITS;
}

/** The same of an operator's key, whose prefix everybody knows. */
export function isStrongAdminKey(key: string): boolean {
  return isStrongSecret(key.replace(/^tg_admin_/, ''));
}
