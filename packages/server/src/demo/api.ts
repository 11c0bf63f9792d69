import type { App } from '../platform/http/app.ts';

/** A refusal of the API, as the page shows it. */
export class DemoProblem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export interface DemoApi {
  /**
   * Calls `/api/v1` as an app would.
   * @param path - under `/api/v1`, with its query
   * @throws DemoProblem for any answer that is not 2xx
   */
  call<T>(method: 'GET' | 'POST', path: string, key: string, body?: object): Promise<T>;
}

/** The API of this process, called without a socket but with everything else: keys, validation, limits. */
export function createDemoApi(app: App): DemoApi {
  return {
    call: async <T>(method: 'GET' | 'POST', path: string, key: string, body?: object) => {
      const answer = await app.inject({
        method,
        url: `/api/v1${path}`,
        headers: { authorization: `Bearer ${key}` },
        ...(body === undefined ? {} : { payload: body }),
      });
      const parsed: unknown = answer.body === '' ? {} : JSON.parse(answer.body);
      if (answer.statusCode >= 200 && answer.statusCode < 300) return parsed as T;
      const { code = 'internal', detail = 'The request failed.' } = parsed as { code?: string; detail?: string };
      throw new DemoProblem(answer.statusCode, code, detail);
    },
  };
}
