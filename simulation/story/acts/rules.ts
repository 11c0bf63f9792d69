/** The business changes what it sells and by which rules. */
import type { Answer } from '../../engine/process.ts';
import type { Mapping, Policy, Rules } from '../../model/rules.ts';
import { type Act, refused } from '../act.ts';
import { atStripe, FEATURE_CODES, type Price } from '../stage.ts';

export async function changeMapping(act: Act): Promise<string | null> {
  const { universe, random, project } = act;
  const product = random.pick(project.products);
  const codes = FEATURE_CODES.filter(() => random.chance(0.55));
  const values = { seats: 1 + random.below(9), credits: 5 + random.below(200) };
  const perUnit = random.chance(0.3);
  return await changeRules(act, async (rules) => {
    const features: Mapping[] = codes.map((code) =>
      rules.features[code]?.type === 'limit'
        ? { code, value: values[code as keyof typeof values], ...(perUnit ? { per_unit: true } : {}) }
        : { code },
    );
    rules.products[product] = features;
    const answer = await universe.ask('PUT', `/products/${product}/features`, { key: project.key, body: { features } });
    return { answer, what: `${product} now gives ${codes.join(', ') || 'nothing'}` };
  });
}

export async function changePolicy(act: Act): Promise<string | null> {
  const { universe, random, project } = act;
  const change: Partial<Policy> = random.pick([
    { past_due_grace_days: random.below(15) },
    { renewal_slack_hours: random.pick([1, 24, 72, 120]) },
    { trial: random.pick(['grant', 'deny'] as const) },
    { pause_collection: random.pick(['grant', 'deny'] as const) },
    { dispute: random.pick(['suspend', 'keep'] as const) },
    { partial_refund: random.pick(['keep', 'revoke'] as const) },
    { subscription_refund: random.pick(['ignore', 'revoke_period'] as const) },
  ]);
  return await changeRules(act, async (rules) => {
    Object.assign(rules.policy, change);
    const answer = await universe.ask('PATCH', `/admin/projects/${project.id}`, { body: { access_policy: change } });
    return { answer, what: `the policy is now ${JSON.stringify(change)}` };
  });
}

/** Old and new rules may both be in force until everybody has been computed again. */
async function changeRules(
  act: Act,
  ask: (rules: Rules) => Promise<{ answer: Answer; what: string }>,
): Promise<string | null> {
  const { ledger, person, rulesTurn } = act;
  const before = rulesTurn.get(person.project) ?? Promise.resolve();
  const turn = before.then(async () => {
    const old = structuredClone(ledger.currentRules(person.project));
    let asked: Promise<{ answer: Answer; what: string }> | undefined;
    ledger.changeRules(person.project, (rules) => {
      asked = ask(rules);
    });
    const result = await asked;
    if (result === undefined) return null;
    if (result.answer.status === 200) return result.what;
    ledger.changeRules(person.project, (rules) => Object.assign(rules, old));
    return refused('a change of rules', result.answer);
  });
  rulesTurn.set(
    person.project,
    turn.catch(() => {}),
  );
  return await turn;
}

export async function archive(act: Act): Promise<string | null> {
  const { universe, random, project } = act;
  const product = random.pick(project.products);
  const active = random.chance(0.6);
  const price = project.prices.find((candidate) => candidate.product === product) as Price;
  if (random.chance(0.5)) {
    atStripe(universe, 'POST', `/prices/${price.id}`, { active });
    return `${price.id} is ${active ? 'sold again' : 'archived'} in the dashboard`;
  }
  const answer = await universe.ask('PATCH', `/prices/${price.id}`, { key: project.key, body: { active } });
  return answer.status === 200 ? `${price.id} is ${active ? 'sold again' : 'archived'}` : refused('archive', answer);
}
