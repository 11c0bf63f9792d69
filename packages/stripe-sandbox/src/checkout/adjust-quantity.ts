import type { CheckoutSession, LineItem } from '../model.ts';
import type { World } from '../world.ts';
import { repriceSession } from './session-amounts.ts';

/** How many of a line the customer may choose; null where that is not for them to say. A line cannot be removed. */
export function quantityRange({ adjustable_quantity: given }: LineItem): { minimum: number; maximum: number } | null {
  if (given?.enabled !== true) return null;
  return { minimum: Math.max(1, given.minimum ?? 0), maximum: given.maximum ?? 99 };
}

/**
 * Takes the quantities that a customer chose, by the lines' ids; what is not named stays.
 *
 * @returns whether the session's total is another now, and by line what is wrong, in which case nothing is changed
 */
export function adjustQuantities(
  world: World,
  session: CheckoutSession,
  chosen: ReadonlyMap<string, string>,
): { changed: boolean; errors: Map<string, string> } {
  const errors = new Map<string, string>();
  const wanted = new Map<LineItem, number>();
  for (const line of session.$.lines) {
    const range = quantityRange(line);
    const typed = chosen.get(line.id)?.trim();
    if (range === null || typed === undefined) continue;
    const quantity = /^\d{1,6}$/.test(typed) ? Number(typed) : Number.NaN;
    if (quantity >= range.minimum && quantity <= range.maximum) wanted.set(line, quantity);
    else errors.set(line.id, `Give a whole number from ${range.minimum} to ${range.maximum}.`);
  }
  if (errors.size > 0) return { changed: false, errors };
  const before = session.amount_total;
  for (const [line, quantity] of wanted) line.quantity = quantity;
  repriceSession(world, session);
  return { changed: session.amount_total !== before, errors };
}
