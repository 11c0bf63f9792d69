/** Starts the servers that the service is compared with. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { end, freePort, type RunningService } from './service.ts';

export interface Bare {
  url: string;
  stop(): Promise<void>;
}

/** Node adds what is about the connection by itself. */
const OF_THE_CONNECTION = new Set(['connection', 'date', 'keep-alive']);

/** A bare `node:http` server that sends the bytes of an answer, whatever it is asked. */
export async function startBare(sample: Response): Promise<Bare> {
  const dir = await mkdtemp(path.join(tmpdir(), 'tollgate-bare-'));
  const file = path.join(dir, 'answer.json');
  const headers = [...sample.headers].filter(([name]) => !OF_THE_CONNECTION.has(name)).flat();
  await writeFile(file, JSON.stringify({ headers, body: await sample.text() }));
  const bare = await start('bare-server.ts', { ANSWER_FILE: file });
  return {
    url: bare.url,
    stop: async () => {
      await bare.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** One statement a request on the service's own database: see `bare-postgres.ts`. */
export async function startBarePostgres(service: RunningService, projectId: string): Promise<Bare> {
  return await start('bare-postgres.ts', { DATABASE: JSON.stringify(await service.database()), PROJECT: projectId });
}

async function start(file: string, settings: Readonly<Record<string, string>>): Promise<Bare> {
  const port = await freePort();
  const child = spawn(process.execPath, [path.join(import.meta.dirname, file)], {
    env: { ...process.env, ...settings, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return { url: `http://127.0.0.1:${port}`, stop: () => end(child) };
}
