/** One call of the API as a shell line. */
export interface Call {
  method: 'GET' | 'POST';
  /** Under `/api/v1`, with its query. */
  path: string;
  key: string;
  body?: object;
}

/** Text inside single quotes of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The `curl` line of a call, broken where a reader would. */
export function curlLine(baseUrl: string, { method, path, key, body }: Call): string {
  const lines = [`curl ${method === 'GET' ? '' : `-X ${method} `}${quoted(`${baseUrl}/api/v1${path}`)}`];
  lines.push(`  -H ${quoted(`Authorization: Bearer ${key}`)}`);
  if (body !== undefined) {
    lines.push(`  -H ${quoted('Content-Type: application/json')}`);
    lines.push(`  -d ${quoted(JSON.stringify(body))}`);
  }
  return lines.join(' \\\n');
}
