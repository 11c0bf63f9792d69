import type Stripe from 'stripe';

/**
 * A client for Stripe's SDK that hands over nothing but answers that the SDK understands; it takes the rest for an answer
 * that is no JSON. By itself the SDK would end the process where something in Stripe's place answers `"OK"`.
 */
export function understandable(client: Stripe.HttpClient): Stripe.HttpClient {
  return {
    getClientName: () => client.getClientName(),
    makeRequest: async (...request) => {
      const response = await client.makeRequest(...request);
      const read = response.toJSON.bind(response);
      response.toJSON = async () => {
        const body: unknown = await read();
        if (!isAnswer(body)) throw new Error('The answer is no object.');
        return body;
      };
      return response;
    },
  };
}

function isAnswer(body: unknown): body is object {
  if (typeof body !== 'object' || body === null) return false;
  return !('error' in body) || ['object', 'string'].includes(typeof body.error);
}
