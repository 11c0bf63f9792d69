/** Realistic mistakes, each planted by itself, that the simulation has to find. */
export interface PlantedBug {
  name: string;
  /** What a developer would have got wrong, in one sentence. */
  about: string;
  /** The end of the file's path. */
  file: string;
  /** The text that stands there once. */
  find: string;
  replace: string;
}

export const BUGS: readonly PlantedBug[] = [
  {
    name: 'payload_trusted',
    about: "The state of a subscription is taken from the newest event's payload instead of being fetched.",
    file: '/mirror/sync-subscription.ts',
    find: 'const fetched = await fetchSubscription(connection, id);',
    replace: `const told = await db.selectFrom('tollgate.events').select('payload').where('object_id', '=', id)
      .where('type', 'like', 'customer.subscription.%').orderBy('received_at', 'desc').executeTakeFirst();
    const { completeSubscription } = await import('./fetch-subscription.ts');
    const fetched = told === undefined
      ? await fetchSubscription(connection, id)
      : await completeSubscription(connection, told.payload.data.object);`,
  },
  {
    name: 'number_after_fetch',
    about: "The object's number is taken after the fetch, so that of two fetches the older may win.",
    file: '/mirror/sync-subscription.ts',
    find: `const sequence = await takeNumber(db, connection.id, id);
  const fetched = await fetchSubscription(connection, id);`,
    replace: `const fetched = await fetchSubscription(connection, id);
  const sequence = await takeNumber(db, connection.id, id);`,
  },
  {
    name: 'settled_after_fetch',
    about: 'The events that a sync answers for are read after its fetch: one that came meanwhile counts as processed.',
    file: '/inbox/sync-task.ts',
    find: 'await settleSynced(db, { job, events, now: clock.now(), result });',
    replace: `const late = await waitingEvents(db, connectionId, ref.id);
    await settleSynced(db, { job, events: late, now: clock.now(), result });`,
  },
  {
    name: 'early_acknowledgement',
    about: 'Stripe is answered before the event is stored.',
    file: '/inbox/webhook-routes.ts',
    find: 'const fresh = await receiveEvent(deps, connection, event);',
    replace: 'const fresh = receiveEvent(deps, connection, event).catch(() => false);',
  },
  {
    name: 'one_page',
    about: "A reconciliation reads only the first page of Stripe's lists.",
    file: '/reconciliation/subscriptions.ts',
    find: '...(startingAfter === undefined ? {} : { starting_after: startingAfter }),\n    });',
    replace:
      '...(startingAfter === undefined ? {} : { starting_after: startingAfter }),\n    }).then((page) => ({ ...page, has_more: false }));',
  },
  {
    name: 'caches_not_told',
    about: 'A new snapshot is saved without telling the caches of the other processes.',
    file: '/entitlements/save-snapshots.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a file
    find: 'select pg_notify(${SNAPSHOTS_CHANNEL}, message) from unnest(${messages}::text[]) message',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a file
    replace: 'select ${SNAPSHOTS_CHANNEL}::text, message from unnest(${messages}::text[]) message',
  },
  {
    name: 'rules_not_followed',
    about: 'A change of the access policy is saved, and the customers that it concerns are not computed again.',
    file: '/entitlements/recompute-customers.ts',
    find: `  await enqueueRun(tx, id, projectId);
  return id;`,
    replace: '  return id;',
  },
  {
    name: 'access_ends_by_event',
    about: 'Access of an active subscription has no end of its own: it waits for the event that ends it.',
    file: '/core/src/policy.ts',
    find: "const active = span(start, earliest(periodEnd, end), 'subscription_active');\n      const slackEnd",
    replace: "const active = span(start, end, 'subscription_active');\n      const slackEnd",
  },
  {
    name: 'no_slack',
    about: 'Access ends with the paid period to the second, so that a renewal whose event is late cuts a payer off.',
    file: '/core/src/policy.ts',
    find: 'const slackEnd = earliest(periodEnd + policy.renewalSlackHours * HOUR, end);',
    replace: 'const slackEnd = earliest(periodEnd, end);',
  },
  {
    name: 'grace_begins_anew',
    about: 'Grace is counted from the moment at which the failed payment was heard of, anew with each event.',
    file: '/mirror/subscription-fact.ts',
    find: 'pastDueSince: pastDueSince(fetched),',
    replace: 'pastDueSince: pastDueSince(fetched) === null ? null : Date.now(),',
  },
  {
    name: 'cancel_at_overlooked',
    about: 'Only cancel_at_period_end is honoured, and a date of cancellation is not.',
    file: '/core/src/policy.ts',
    find: 'if (sub.cancelAt === null) return atPeriodEnd;',
    replace: 'if (sub.cancelAt !== undefined) return atPeriodEnd;',
  },
  {
    name: 'failed_refund_counts',
    about: 'A refund that failed is summed up with the others.',
    file: '/mirror/money-back.ts',
    find: ".filter((refund) => refund.status !== 'failed' && refund.status !== 'canceled')",
    replace: ".filter((refund) => refund.status !== 'canceled')",
  },
  {
    name: 'won_dispute_bars',
    about: 'A dispute that was won goes on barring what the payment bought.',
    file: '/core/src/policy.ts',
    find: "if (status === 'won' || status === 'prevented' || status.startsWith('warning_')) return false;",
    replace: "if (status === 'prevented' || status.startsWith('warning_')) return false;",
  },
  {
    name: 'renewal_dispute_overlooked',
    about: 'Only what was bought once is barred by a dispute, and no paid period of a subscription.',
    file: '/core/src/policy.ts',
    find: 'if (payment.dispute !== null && disputeBars(payment.dispute.status, policy)) {',
    replace: 'if (payment.dispute === undefined) {',
  },
  {
    name: 'slack_after_any_trial',
    about: 'A trial that nobody will pay for goes on for as long as one that turns into a subscription.',
    file: '/core/src/policy.ts',
    find: "const slack = converts ? span(trialEnd, slackEnd, 'subscription_slack') : [];",
    replace: "const slack = span(trialEnd, slackEnd, 'subscription_slack');",
  },
  {
    name: 'notices_overtake',
    about: "A customer's later notices do not wait for one that was refused.",
    file: '/notices/deliver.ts',
    find: 'if (this.#over() || this.#waiting.has(notice.customerId)) return;',
    replace: 'if (this.#over()) return;',
  },
];
