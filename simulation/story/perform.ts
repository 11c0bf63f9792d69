/** Does what a story says, as far as it makes sense at that moment. */
import type { Answer } from '../engine/process.ts';
import type { Mapping, Rules } from '../model/access.ts';
import { type KnownGrant, keyOf, type Person } from '../model/ledger.ts';
import { Random } from '../virtual/random.ts';
import { atStripe, FEATURE_CODES, type Price, type Project, type Stage } from './stage.ts';
import type { Operation } from './story.ts';

interface Act extends Stage {
  operation: Operation;
  random: Random;
  person: Person;
  project: Project;
}

const DAY = 24 * 3_600_000;
const URLS = { success_url: 'https://app.example/thanks', cancel_url: 'https://app.example/no' };

/** @returns what was done, for people; null when there was nothing to do */
export async function perform(stage: Stage, operation: Operation): Promise<string | null> {
  const { person, project } = stage.people[operation.customer] as Stage['people'][number];
  const random = new Random(`${stage.story.seed}/operation/${operation.id}`);
  const act: Act = { ...stage, operation, random, person, project };
  switch (operation.kind) {
    case 'subscribe':
      return await checkout(
        act,
        project.prices.filter(({ interval }) => interval !== null),
      );
    case 'buy_once':
      return await checkout(
        act,
        project.prices.filter(({ interval }) => interval === null),
      );
    case 'change_plan':
    case 'change_quantity':
      return changePlan(act);
    case 'cancel_at_period_end':
      return update(act, { cancel_at_period_end: true }, 'cancels at the end of the period');
    case 'cancel_at':
      return update(
        act,
        { cancel_at: Math.floor(stage.universe.now / 1000) + 86_400 * (1 + random.below(70)) },
        'cancels at a date',
      );
    case 'take_back_cancellation':
      return update(act, { cancel_at_period_end: false }, 'takes the cancellation back');
    case 'pause_collection':
      return update(act, { pause_collection: { behavior: 'void' } }, 'has the collection paused');
    case 'resume_collection':
      return update(act, { pause_collection: '' }, 'has the collection resumed');
    case 'cancel_now':
      return cancelNow(act);
    case 'bad_card':
      return changeCard(act, 'pm_card_chargeCustomerFail');
    case 'good_card':
      return changeCard(act, 'pm_card_visa');
    case 'refund':
      return refund(act);
    case 'refund_fails':
      return refundFails(act);
    case 'dispute':
      return dispute(act);
    case 'close_dispute':
      return closeDispute(act);
    case 'grant':
    case 'deny':
      return await grant(act);
    case 'revoke':
      return await revoke(act);
    case 'change_mapping':
      return await changeMapping(act);
    case 'change_policy':
      return await changePolicy(act);
    case 'archive':
      return await archive(act);
    case 'delete_customer':
      return deleteCustomer(act);
    case 'subscribe_by_hand':
      return subscribeByHand(act);
    case 'link_by_hand':
      return await linkByHand(act);
    case 'reconcile':
      return await reconcile(act);
    case 'kill': {
      const [victim] = stage.universe.processes.filter(({ up }) => up);
      if (victim === undefined || !stage.universe.chaos.enabled) return null;
      stage.universe.kill(victim);
      return `${victim.name} is killed`;
    }
    default:
      return operation.kind satisfies never;
  }
}

async function checkout(act: Act, prices: readonly Price[]): Promise<string | null> {
  const { universe, ledger, person, project, random } = act;
  const price = choose(act, prices);
  const trial = price.interval !== null && random.chance(0.35) ? { trial_period_days: 3 + random.below(20) } : {};
  const free = random.chance(0.3) ? { payment_method_collection: 'if_required' } : {};
  const body = {
    customer_id: person.customer,
    price: price.id,
    ...(price.byQuantity ? { quantity: 1 + random.below(5) } : {}),
    ...(price.interval === null ? {} : { ...trial, ...('trial_period_days' in trial ? free : {}) }),
    ...(random.chance(0.1) ? { allow_multiple: true } : {}),
    ...URLS,
  };
  const plan = {
    leaves: random.chance(0.1),
    card: cardFor(random, price),
    waits: random.below(60_000),
    looks: random.chance(0.4),
  };
  const answer = await universe.ask('POST', '/checkout/sessions', { key: project.key, body });
  if (answer.status !== 201) return refused('checkout', answer);
  const session = universe.world.store.get('checkout.session', answer.body.id);
  if (session?.customer != null) ledger.owners.set(session.customer, person);
  if (plan.leaves || session?.status !== 'open') return `opens a checkout for ${describe(act, price)} and leaves`;
  const result = universe.control.payCheckout(session.id, { cardNumber: plan.card, authenticated: true });
  if (plan.looks) await universe.ask('GET', `/checkout/sessions/${session.id}`, { key: project.key });
  return `buys ${describe(act, price)}${'trial_period_days' in trial ? ` with a trial of ${trial.trial_period_days} days` : ''} with ${plan.card}${result.ok ? '' : ', which is declined'}`;
}

/** In quiet worlds most people pay once a year; in busy ones renewals come often. */
function choose({ random, story }: Act, prices: readonly Price[]): Price {
  if (prices[0]?.interval === null) return random.pick(prices);
  const interval = random.weighted(
    story.pace < 0.5 ? { week: 1, month: 9, year: 90 } : { week: 15, month: 55, year: 30 },
  );
  return random.pick(prices.filter((price) => price.interval === interval));
}

function cardFor(random: Random, price: Price): string {
  return random.weighted({
    '4242424242424242': 75,
    '4000000000000341': 10,
    '4000000000000002': 4,
    '4000002500003155': 3,
    DE89370400440532013000: 3,
    DE62370400440532013001: 2,
    '4000000000000259': price.interval === null ? 5 : 0,
    '4000000000001976': price.interval === null ? 3 : 0,
    '4000000000005126': price.interval === null ? 6 : 0,
    '4000000000007726': price.interval === null ? 4 : 0,
  });
}

function changePlan(act: Act): string | null {
  const { universe, project, random } = act;
  const sub = pickSubscription(act);
  const item = sub?.items.data[0];
  if (sub === undefined || item === undefined) return null;
  const recurring = project.prices.filter(({ interval }) => interval !== null);
  const current = recurring.find(({ id }) => id === item.price.id);
  const price = act.operation.kind === 'change_plan' || current === undefined ? choose(act, recurring) : current;
  const proration = random.pick(['create_prorations', 'always_invoice', 'none']);
  const form = {
    items: [{ id: item.id, price: price.id, quantity: price.byQuantity ? 1 + random.below(6) : 1 }],
    proration_behavior: proration,
  };
  const done = atStripe(universe, 'POST', `/subscriptions/${sub.id}`, form);
  return done === null
    ? null
    : `switches ${sub.id} to ${describe(act, price)} × ${form.items[0]?.quantity} (${proration})`;
}

function update(act: Act, form: Parameters<typeof atStripe>[3], what: string): string | null {
  const sub = pickSubscription(act);
  if (sub === undefined) return null;
  const done = atStripe(act.universe, 'POST', `/subscriptions/${sub.id}`, form);
  return done === null ? null : `${what}: ${sub.id}`;
}

function cancelNow(act: Act): string | null {
  const sub = pickSubscription(act);
  if (sub === undefined) return null;
  return atStripe(act.universe, 'DELETE', `/subscriptions/${sub.id}`) === null ? null : `cancels ${sub.id} at once`;
}

function changeCard(act: Act, method: string): string | null {
  const { universe } = act;
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  const card = atStripe(universe, 'POST', `/payment_methods/${method}/attach`, { customer });
  if (card === null) return null;
  atStripe(universe, 'POST', `/customers/${customer}`, { invoice_settings: { default_payment_method: card.id } });
  for (const sub of subscriptions(act)) {
    if (sub.default_payment_method === null) continue;
    atStripe(universe, 'POST', `/subscriptions/${sub.id}`, { default_payment_method: card.id });
  }
  if (method !== 'pm_card_visa') return 'changes to a card that will not pay';
  const open = universe.world.store
    .all('invoice', { key: 'customer', value: customer })
    .filter(({ status }) => status === 'open');
  for (const { id } of [...open]) atStripe(universe, 'POST', `/invoices/${id}/pay`);
  return `changes to a good card and pays ${open.length} open invoices`;
}

function refund(act: Act): string | null {
  const { universe, random } = act;
  const charge = pickCharge(act, (candidate) => candidate.amount_refunded < candidate.amount && !candidate.disputed);
  if (charge === undefined) return null;
  const left = charge.amount - charge.amount_refunded;
  const amount = random.chance(0.55) ? left : 1 + random.below(left);
  const made = atStripe(universe, 'POST', '/refunds', { charge: charge.id, amount });
  return made === null ? null : `gets ${amount} of ${charge.amount} of ${charge.payment_intent} back`;
}

function refundFails(act: Act): string | null {
  const { universe, random } = act;
  const mine = new Set(stripeCustomers(act));
  const refunds = universe.world.store
    .all('refund')
    .filter(
      ({ customer, status }) =>
        customer !== null && mine.has(customer) && (status === 'pending' || status === 'succeeded'),
    );
  if (refunds.length === 0) return null;
  const chosen = random.pick(refunds);
  const fails = random.chance(0.7);
  try {
    if (fails) universe.control.failRefund(chosen.id);
    else universe.control.succeedRefund(chosen.id);
  } catch {
    return null;
  }
  return `the refund of ${chosen.amount} of ${chosen.payment_intent} ${fails ? 'fails after all' : 'goes through'}`;
}

function dispute(act: Act): string | null {
  const { universe, random } = act;
  const sessions = act.universe.world.store.all('checkout.session');
  const bought = new Set(sessions.filter(({ mode }) => mode === 'payment').map(({ payment_intent: id }) => id));
  const charge = pickCharge(
    act,
    (candidate) =>
      !candidate.disputed && candidate.amount_refunded < candidate.amount && bought.has(candidate.payment_intent),
  );
  if (charge === undefined) return null;
  const cause = random.pick(['fraudulent', 'inquiry', 'product_not_received'] as const);
  try {
    universe.control.dispute(charge.id, cause);
  } catch {
    return null;
  }
  return `disputes ${charge.payment_intent} (${cause})`;
}

function closeDispute(act: Act): string | null {
  const { universe, random } = act;
  const mine = new Set(stripeCustomers(act));
  const open = universe.world.store.all('dispute').filter(({ charge, status }) => {
    const owner = universe.world.store.get('charge', charge)?.customer;
    return owner != null && mine.has(owner) && ['needs_response', 'under_review'].includes(status);
  });
  if (open.length === 0) return null;
  const chosen = random.pick(open);
  const verdict = random.pick(['won', 'lost'] as const);
  try {
    universe.control.closeDispute(chosen.id, verdict);
  } catch {
    return null;
  }
  return `the dispute about ${chosen.payment_intent} is ${verdict}`;
}

async function grant(act: Act): Promise<string | null> {
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

async function revoke(act: Act): Promise<string | null> {
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

async function changeMapping(act: Act): Promise<string | null> {
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

async function changePolicy(act: Act): Promise<string | null> {
  const { universe, random, project } = act;
  const change: Partial<Rules['policy']> = random.pick([
    { past_due_grace_days: random.below(15) },
    { renewal_slack_hours: random.pick([1, 24, 72, 120]) },
    { pause_collection: random.pick(['grant', 'deny'] as const) },
    { dispute: random.pick(['suspend', 'keep'] as const) },
    { partial_refund: random.pick(['keep', 'revoke'] as const) },
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

async function archive(act: Act): Promise<string | null> {
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

function deleteCustomer(act: Act): string | null {
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  return atStripe(act.universe, 'DELETE', `/customers/${customer}`) === null
    ? null
    : `is deleted in Stripe (${customer})`;
}

/** A colleague makes a subscription in the dashboard, without any mark. */
function subscribeByHand(act: Act): string | null {
  const { universe, project } = act;
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  const price = choose(
    act,
    project.prices.filter(({ interval }) => interval !== null),
  );
  const made = atStripe(universe, 'POST', '/subscriptions', { customer, items: [{ price: price.id }] });
  return made === null ? null : `gets ${describe(act, price)} by hand (${made.id})`;
}

/** A Stripe customer that somebody made by hand becomes this customer's, with what it has. */
async function linkByHand(act: Act): Promise<string | null> {
  const { universe, ledger, person, project } = act;
  if (stripeCustomers(act).length > 0) return null;
  const customer = atStripe(universe, 'POST', '/customers', { email: `${person.customer}@example.com` });
  const card = atStripe(universe, 'POST', '/payment_methods/pm_card_visa/attach', { customer: customer.id });
  atStripe(universe, 'POST', `/customers/${customer.id}`, { invoice_settings: { default_payment_method: card.id } });
  const price = choose(
    act,
    project.prices.filter(({ interval }) => interval !== null),
  );
  atStripe(universe, 'POST', '/subscriptions', { customer: customer.id, items: [{ price: price.id }] });
  // From the moment of asking on the service may know.
  ledger.owners.set(customer.id, person);
  const answer = await universe.ask('PUT', `/customers/${encodeURIComponent(person.customer)}`, {
    key: project.key,
    body: { stripe_customer_id: customer.id },
  });
  if (answer.status >= 300) {
    ledger.owners.delete(customer.id);
    return refused('link', answer);
  }
  return `is linked to ${customer.id}, which has ${describe(act, price)}`;
}

async function reconcile({ universe }: Act): Promise<string | null> {
  const answer = await universe.ask('POST', '/admin/reconcile', { body: {} });
  return answer.status === 202 ? 'a reconciliation begins' : refused('reconcile', answer);
}

function stripeCustomers({ ledger, person, universe }: Act): string[] {
  const mine: string[] = [];
  for (const [customer, owner] of ledger.owners) {
    if (keyOf(owner) === keyOf(person) && universe.world.store.get('customer', customer) !== undefined)
      mine.push(customer);
  }
  return mine;
}

function subscriptions(act: Act) {
  return stripeCustomers(act).flatMap((customer) =>
    act.universe.world.store
      .all('subscription', { key: 'customer', value: customer })
      .filter(({ status }) => status !== 'canceled' && status !== 'incomplete_expired'),
  );
}

function pickSubscription(act: Act) {
  const standing = subscriptions(act);
  return standing.length === 0 ? undefined : act.random.pick(standing);
}

type Charge = NonNullable<ReturnType<Stage['universe']['world']['store']['get']>> & {
  id: string;
  amount: number;
  amount_refunded: number;
  disputed: boolean;
  payment_intent: string | null;
};

function pickCharge(act: Act, fits: (charge: Charge) => boolean): Charge | undefined {
  const mine = new Set(stripeCustomers(act));
  const charges = (
    act.universe.world.store.all('charge') as unknown as (Charge & { customer: string | null; status: string })[]
  ).filter(
    (charge) => charge.customer !== null && mine.has(charge.customer) && charge.status === 'succeeded' && fits(charge),
  );
  return charges.length === 0 ? undefined : act.random.pick(charges);
}

function describe({ project }: Act, price: Price): string {
  return `plan ${project.prices.indexOf(price) + 1} (${price.interval ?? 'once'}, ${price.id})`;
}

function refused(what: string, { status, body }: Answer): string {
  return `${what} is refused: ${status} ${body?.code ?? ''}`;
}
