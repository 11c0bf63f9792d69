import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The operator's key of an installation that was given none: made at the first start, and kept in `admin-key` in the
 * data directory, readable by its owner alone. Of several processes that start together, the first one's stays.
 */
export async function keptAdminKey(dataDir: string): Promise<string> {
  const file = path.join(dataDir, 'admin-key');
  await mkdir(dataDir, { recursive: true });
  try {
    await writeFile(file, `tg_admin_${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await chmod(file, 0o600);
  }
  const key = (await readFile(file, 'utf8')).trim();
  if (key === '') throw new Error(`${file} is empty. Remove it, and a new key is made at the next start.`);
  return key;
}
