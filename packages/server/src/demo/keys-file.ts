import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The demo project's keys. They open nothing but a sandbox on this machine, and stay readable by its owner alone. */
export interface DemoKeys {
  project_id: string;
  secret_key: string;
}

function fileIn(dataDir: string): string {
  return path.join(dataDir, 'demo-project.json');
}

/** The keys as they were saved; null when there are none that can be read. */
export async function readDemoKeys(dataDir: string): Promise<DemoKeys | null> {
  let text: string;
  try {
    text = await readFile(fileIn(dataDir), 'utf8');
  } catch {
    return null;
  }
  try {
    const { project_id, secret_key } = JSON.parse(text) as Partial<DemoKeys>;
    return typeof project_id === 'string' && typeof secret_key === 'string' ? { project_id, secret_key } : null;
  } catch {
    return null;
  }
}

/** Saves the keys whole or not at all. */
export async function saveDemoKeys(dataDir: string, { project_id, secret_key }: DemoKeys): Promise<void> {
  const file = fileIn(dataDir);
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify({ project_id, secret_key }, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, file);
}
