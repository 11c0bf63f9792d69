/**
 * Lookup keys are unique in a Stripe account, and an account may serve many projects: towards Stripe each carries its
 * project's id in front. An imported price keeps the key that it has in Stripe, without a prefix.
 */
const SEPARATOR = ':';

/** Stripe takes 200 characters, of which a project's id and the separator need some 32. */
export const MAX_LOOKUP_KEY_LENGTH = 160;

export function toStripeLookupKey(projectId: string, lookupKey: string): string {
  return `${projectId}${SEPARATOR}${lookupKey}`;
}

export function fromStripeLookupKey(projectId: string, stripeLookupKey: string | null): string | null {
  if (stripeLookupKey === null || stripeLookupKey === '') return null;
  return isPrefixed(projectId, stripeLookupKey)
    ? stripeLookupKey.slice(projectId.length + SEPARATOR.length)
    : stripeLookupKey;
}

/** Whether the key is one that Tollgate gave for this project. */
export function isPrefixed(projectId: string, stripeLookupKey: string): boolean {
  return stripeLookupKey.startsWith(projectId + SEPARATOR);
}
