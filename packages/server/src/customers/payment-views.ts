/** The ledger of a customer's payments as the API shows it. */
import { type Static, Type } from 'typebox';
import { Closed, Money, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { DisputeRow, PaymentWithMoneyBack, RefundRow } from './list-payments.ts';

const moneyBack = {
  amount: Money,
  reason: Nullable(Type.String({ description: "Stripe's reason." })),
  created_at: Timestamp,
};

const RefundView = named(
  'Refund',
  Closed({
    object: Type.Literal('refund'),
    id: Type.String({ description: "Stripe's `re_…`." }),
    status: Nullable(Type.String({ description: "Stripe's status; `failed` and `canceled` gave nothing back." })),
    ...moneyBack,
  }),
);

const DisputeView = named(
  'Dispute',
  Closed({
    object: Type.Literal('dispute'),
    id: Type.String({ description: "Stripe's `dp_…`." }),
    status: Type.String({ description: "Stripe's status." }),
    ...moneyBack,
  }),
);

export const PaymentView = named(
  'Payment',
  Closed({
    object: Type.Literal('payment'),
    id: Type.String({ description: 'The payment intent, or the checkout session when nothing had to be paid.' }),
    status: OneOf(['paid', 'pending', 'failed']),
    amount: Money,
    created_at: Timestamp,
    paid_at: Nullable(Timestamp),
    charge_id: Nullable(Type.String()),
    paid_for: Closed(
      {
        checkout_session_id: Nullable(Type.String()),
        subscription_id: Nullable(Type.String()),
        invoice_id: Nullable(Type.String()),
        period_start: Nullable(Timestamp),
        period_end: Nullable(Timestamp),
        lines: Type.Array(
          Closed({ price: Type.String(), product: Type.String(), quantity: Nullable(Type.Integer()) }),
          { description: 'Of an invoice the first ten; credits are not among them.' },
        ),
      },
      { description: 'A purchase by its checkout session, or the period of a subscription by its invoice.' },
    ),
    refunds: Type.Array(RefundView, { description: 'Oldest first.' }),
    disputes: Type.Array(DisputeView, { description: 'Oldest first.' }),
  }),
);

export function paymentView(row: PaymentWithMoneyBack): Static<typeof PaymentView> {
  return {
    object: 'payment',
    id: row.id,
    status: row.status,
    amount: { currency: row.currency, amount: row.amount },
    created_at: row.created_at.toISOString(),
    paid_at: row.paid_at?.toISOString() ?? null,
    charge_id: row.charge_id,
    paid_for: {
      checkout_session_id: row.checkout_session_id,
      subscription_id: row.subscription_id,
      invoice_id: row.invoice_id,
      period_start: row.period_start?.toISOString() ?? null,
      period_end: row.period_end?.toISOString() ?? null,
      lines: row.lines,
    },
    refunds: row.refunds.map((refund) => ({ object: 'refund', status: refund.status, ...moneyBackView(refund) })),
    disputes: row.disputes.map((dispute) => ({ object: 'dispute', status: dispute.status, ...moneyBackView(dispute) })),
  };
}

function moneyBackView({ id, currency, amount, reason, created_at }: RefundRow | DisputeRow) {
  return { id, amount: { currency, amount }, reason, created_at: created_at.toISOString() };
}
