/** Secrets of an installation that was given none: made at the first start, and kept in the data directory. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The operator's key, in `admin-key`. */
export async function keptAdminKey(dataDir: string): Promise<string> {
  return await kept(dataDir, 'admin-key', () => `tg_admin_${randomBytes(32).toString('base64url')}`);
}

/** The key that secrets are sealed with, in `encryption-key`: 32 bytes. */
export async function keptEncryptionKey(dataDir: string): Promise<Buffer> {
  const text = await kept(dataDir, 'encryption-key', () => randomBytes(32).toString('base64'));
  const key = Buffer.from(text, 'base64');
  if (key.length === 32) return key;
  throw new Error(`${path.join(dataDir, 'encryption-key')} does not hold 32 bytes in base64. Put it back as it was.`);
}

/** Readable by its owner alone. Of several processes that start together, the first one's stays. */
async function kept(dataDir: string, name: string, make: () => string): Promise<string> {
  const file = path.join(dataDir, name);
  await mkdir(dataDir, { recursive: true });
  try {
    await writeFile(file, `${make()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await chmod(file, 0o600);
  }
  const text = (await readFile(file, 'utf8')).trim();
  if (text === '') throw new Error(`${file} is empty. Remove it, and a new one is made at the next start.`);
  return text;
}
