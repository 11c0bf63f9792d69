/** Secrets that have to be read again are kept sealed: AES-256-GCM, under a key that the database never sees. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

export interface Sealer {
  /**
   * @param context - what the secret is and whose, such as `connections/acme/secret_key`: it opens nowhere else
   * @returns printable text
   */
  seal(secret: string, context: string): string;
  /** @throws SealError */
  open(sealed: string, context: string): string;
  /** False for what an older key sealed: seal it again, so that the key can be dropped. */
  isCurrent(sealed: string): boolean;
}

/** A sealed secret that cannot be opened. Names no secret. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * @param keys - of 32 bytes, newest first: the first one seals, any of them opens
 * @throws Error without a key
 */
export function createSealer(keys: readonly Buffer[]): Sealer {
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  const [newest] = keys;
  if (newest === undefined) throw new Error('Sealing needs a key.');
  const newestId = idOf(newest);
  return {
    seal: (secret, context) => {
      // 96 random bits: a key would have to seal some billions of secrets before two share a nonce.
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', newest, nonce);
      cipher.setAAD(Buffer.from(context, 'utf8'));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return [VERSION, newestId, nonce.toString('base64url'), text.toString('base64url')].join('.');
    },
    open: (sealed, context) => {
      const [version, keyId = '', nonce = '', text = '', ...rest] = sealed.split('.');
      if (version !== VERSION || rest.length > 0) throw new SealError(`${context} is not a sealed secret.`);
      const key = byId.get(keyId);
      if (key === undefined) {
        throw new SealError(
          `${context} was sealed with a key that is not among TOLLGATE_ENCRYPTION_KEY. Add the key that it was sealed ` +
            'with behind the newest one, separated by a comma.',
        );
      }
      const bytes = Buffer.from(text, 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(Buffer.from(context, 'utf8'));
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8');
      } catch {
        throw new SealError(
          `${context} was changed after it was sealed, or belongs elsewhere. Restore it from a backup.`,
        );
      }
    },
    isCurrent: (sealed) => sealed.startsWith(`${VERSION}.${newestId}.`),
  };
}

/**
 * Opens a stored secret.
 * @param sealer - null: there is no key
 * @throws SealError with a sentence that names the context and says what to do
 */
export function openSecret(sealer: Sealer | null, sealed: string, context: string): string {
  if (sealer !== null) return sealer.open(sealed, context);
  throw new SealError(
    `${context} is sealed, and TOLLGATE_ENCRYPTION_KEY is not set. Set it to the key that it was sealed with.`,
  );
}

/**
 * Sees to it that a stored secret can be opened, also once former keys are dropped.
 * @returns it as the newest key seals it; the same text when it is that already
 * @throws SealError as `openSecret`
 */
export function sealAgain(sealer: Sealer | null, sealed: string, context: string): string {
  const secret = openSecret(sealer, sealed, context);
  return sealer === null || sealer.isCurrent(sealed) ? sealed : sealer.seal(secret, context);
}

/** Tells keys apart without telling anything of them. */
function idOf(key: Buffer): string {
  return createHash('sha256').update('tollgate key id\n').update(key).digest('hex').slice(0, 8);
}
