import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** Readable by every user, for what PostgreSQL's user cannot reach elsewhere. Only root ever writes here. */
export const SHARED_HOME = '/var/lib/tollgate';

/** The operating system's user that PostgreSQL runs as. */
export interface Owner {
  uid: number;
  gid: number;
  name: string;
  /** True when that is another user than ours, because we are root and PostgreSQL refuses to be. */
  switched: boolean;
}

const UNPRIVILEGED = ['tollgate', 'postgres', 'nobody'];

/** Ourselves; or, as root, the first of a few users without rights that this machine has. */
export async function ownerFor(): Promise<Owner> {
  const { uid, gid, username } = os.userInfo();
  if (uid !== 0) {
    return { uid, gid, name: username, switched: false };
  }
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of UNPRIVILEGED) {
    const user = users.find((fields) => fields[0] === name);
    if (user) {
      // macOS writes nobody's id as -2.
      return { uid: Number(user[2]) >>> 0, gid: Number(user[3]) >>> 0, name, switched: true };
    }
  }
  throw new Error(
    `PostgreSQL refuses to run as root, and there is no user to run it as. Create one ("useradd --system tollgate"), ` +
      'start Tollgate as another user, or set DATABASE_URL.',
  );
}

/** Whether that user can pass every parent of a directory and enter it. */
export async function canEnter(directory: string, owner: Owner): Promise<boolean> {
  if (!owner.switched) {
    return true;
  }
  // The kernel decides, access control lists included; the shell is in a place that everyone can read.
  const { status } = spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], {
    uid: owner.uid,
    gid: owner.gid,
    stdio: 'ignore',
    cwd: '/',
  });
  return status === 0;
}
