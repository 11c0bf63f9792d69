import type { Started } from './start.ts';

/** What the terminal says once everything is up: where to go, and with which keys. */
export function welcome({ url, adminKey, adminKeyFile, sandboxUrl, demo }: Started): string {
  const rows: [string, string | null | undefined][] = [
    [demo ? 'Start here' : 'Tollgate', demo ? `${url}/` : url],
    ['API reference', `${url}/docs`],
    ['Stripe sandbox', sandboxUrl && `${sandboxUrl}/`],
    ['Admin key', adminKey],
    ['', adminKeyFile && `(kept in ${adminKeyFile})`],
    ['Demo project', demo?.projectId],
    ['Demo secret key', demo?.secretKey],
  ];
  const lines = rows.filter(([, value]) => value).map(([name, value]) => `  ${name.padEnd(16)} ${value}`);
  return `\nTollgate is ready.\n\n${lines.join('\n')}\n\n  Stop it with Ctrl+C.\n\n`;
}
