/** Whether a host names this machine: browsers treat `http` to it as secure. */
export function isLoopbackHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}

/**
 * Why a text is no origin to redirect to, or null when it is one: `https://app.example.com`, or `http` on loopback, as a
 * browser writes it.
 */
export function originProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '') return 'is not an origin such as https://app.example.com';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://';
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) return 'may use http on localhost only; use https';
  return url.origin === text ? null : `must be written ${url.origin}`;
}
