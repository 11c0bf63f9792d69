/** An operator grants and denies by hand, and takes it back. */
import type { KnownGrant } from '../../model/ledger.ts';
import { type Act, refused } from '../act.ts';
import { FEATURE_CODES } from '../stage.ts';

const DAY = 24 * 3_600_000;

export async function grant(act: Act): Promise<string | null> {
  const { universe, ledger, person, random, operation } = act;
  const feature = random.pick(FEATURE_CODES);
  const effect = operation.kind === 'deny' ? 'deny' : 'allow';
  const isLimit = ledger.currentRules(person.project).features[feature]?.type === 'limit';
  const unlimited = effect === 'allow' && isLimit && random.chance(0.2);
  const value = effect === 'allow' && isLimit && !unlimited ? 1 + random.below(500) : null;
  const now = universe.now;
  const from = random.chance(0.3) ? now + random.below(20) * DAY : null;
  const to = random.chance(0.6) ? (from ?? now) + (1 + random.below(60)) * DAY : null;
  const known: KnownGrant = {
    id: null,
    revoking: false,
    feature,
    effect,
    value,
    unlimited,
    from: from ?? now,
    to,
    revokedAt: null,
  };
  ledger.grantsOf(person).push(known);
  const body = {
    project_id: person.project,
    customer_id: person.customer,
    feature,
    effect,
    reason: 'The story says so',
    ...(value === null ? {} : { value }),
    ...(unlimited ? { unlimited } : {}),
    ...(from === null ? {} : { valid_from: new Date(from).toISOString() }),
    ...(to === null ? {} : { valid_to: new Date(to).toISOString() }),
  };
  const answer = await universe.ask('POST', '/admin/grant', { body });
  if (answer.status !== 201) {
    const list = ledger.grantsOf(person);
    list.splice(list.indexOf(known), 1);
    return refused(effect, answer);
  }
  known.id = answer.body.id;
  known.from = Date.parse(answer.body.valid_from);
  return `${effect === 'deny' ? 'is denied' : 'is granted'} ${feature} ${value ?? ''}${to === null ? '' : ` until ${new Date(to).toISOString()}`}`;
}

export async function revoke(act: Act): Promise<string | null> {
  const { universe, ledger, person, random } = act;
  const standing = ledger
    .grantsOf(person)
    .filter(
      ({ id, revokedAt, revoking, to }) =>
        id !== null && !revoking && revokedAt === null && (to === null || to > universe.now),
    );
  if (standing.length === 0) return null;
  const chosen = random.pick(standing);
  chosen.revoking = true;
  const answer = await universe.ask('POST', '/admin/revoke', {
    body: { grant_id: chosen.id, reason: 'The story says so' },
  });
  chosen.revoking = false;
  if (answer.status !== 200) return refused('revoke', answer);
  chosen.revokedAt = Date.parse(answer.body.revoked[0]?.revoked_at ?? '') || universe.now;
  return `loses the ${chosen.effect} grant of ${chosen.feature}`;
}
