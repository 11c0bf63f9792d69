/** A Stripe whose lists show one object a page, however many are asked for: what takes the first page for all shows. */
import { createServer } from 'node:http';

export interface ShortPages extends Disposable {
  /** Without a path. */
  url: string;
}

/** @param sandboxUrl - whose answers it passes on */
export async function startShortPages(sandboxUrl: string): Promise<ShortPages> {
  const server = createServer(async (request, response) => {
    const { authorization = '' } = request.headers;
    const url = new URL(request.url ?? '/', sandboxUrl);
    if (url.searchParams.has('limit')) url.searchParams.set('limit', '1');
    const answer = await fetch(url, { method: request.method ?? 'GET', headers: { authorization } });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return { url, [Symbol.dispose]: () => void server.close() };
}
