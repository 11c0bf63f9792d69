/** Does what a story says, as far as it makes sense at that moment. */
import { Random } from '../virtual/random.ts';
import { type Act, refused } from './act.ts';
import { buyOnce, subscribe } from './acts/buying.ts';
import { attach, deleteCustomer, linkByHand, sellToNobody, subscribeByHand } from './acts/by-hand.ts';
import {
  addItem,
  cancelAt,
  cancelNow,
  changeCard,
  changeMind,
  changePlan,
  discount,
  endDiscount,
  removeItem,
  update,
} from './acts/changing.ts';
import { grant, revoke } from './acts/granting.ts';
import { closeDispute, dispute, refund, refundFails } from './acts/money-back.ts';
import { archive, changeMapping, changePolicy } from './acts/rules.ts';
import type { Stage } from './stage.ts';
import type { Operation, OperationKind } from './story.ts';

type Told = string | null;

const ACTS: Record<OperationKind, (act: Act) => Told | Promise<Told>> = {
  subscribe,
  buy_once: buyOnce,
  change_plan: changePlan,
  change_quantity: changePlan,
  change_mind: changeMind,
  add_item: addItem,
  remove_item: removeItem,
  discount,
  end_discount: endDiscount,
  cancel_at_period_end: (act) => update(act, { cancel_at_period_end: true }, 'cancels at the end of the period'),
  cancel_at: cancelAt,
  cancel_now: cancelNow,
  take_back_cancellation: (act) => update(act, { cancel_at_period_end: false }, 'takes the cancellation back'),
  pause_collection: (act) => update(act, { pause_collection: { behavior: 'void' } }, 'has the collection paused'),
  resume_collection: (act) => update(act, { pause_collection: '' }, 'has the collection resumed'),
  bad_card: (act) => changeCard(act, 'pm_card_chargeCustomerFail'),
  good_card: (act) => changeCard(act, 'pm_card_visa'),
  refund,
  refund_fails: refundFails,
  dispute,
  close_dispute: closeDispute,
  grant,
  deny: grant,
  revoke,
  change_mapping: changeMapping,
  change_policy: changePolicy,
  archive,
  delete_customer: deleteCustomer,
  subscribe_by_hand: subscribeByHand,
  link_by_hand: linkByHand,
  sell_to_nobody: sellToNobody,
  attach,
  reconcile,
  reconcile_a_little: reconcileALittle,
  kill,
};

/** @returns what was done, for people; null when there was nothing to do */
export async function perform(stage: Stage, operation: Operation): Promise<Told> {
  const { person, project } = stage.people[operation.customer] as Stage['people'][number];
  const random = new Random(`${stage.story.seed}/operation/${operation.id}`);
  return await ACTS[operation.kind]({ ...stage, operation, random, person, project });
}

async function reconcile({ universe }: Act): Promise<Told> {
  const answer = await universe.ask('POST', '/admin/reconcile', { body: {} });
  return answer.status === 202 ? 'a reconciliation begins' : refused('reconcile', answer);
}

/** What happens every minute in production. */
async function reconcileALittle({ universe }: Act): Promise<Told> {
  await universe.jobs.add('reconcile_continuously');
  return 'what has not been looked at for long is looked at';
}

function kill({ universe }: Act): Told {
  const [victim] = universe.processes.filter(({ up }) => up);
  if (victim === undefined || !universe.chaos.enabled) return null;
  universe.kill(victim);
  return `${victim.name} is killed`;
}
