/** What keeps the service from starting, in sentences for its operator; never holds a secret. */
export class ConnectionsError extends Error {
  override readonly name = 'ConnectionsError';

  constructor(problems: readonly string[]) {
    super(
      `The Stripe connections cannot be used as they are:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    );
  }
}
