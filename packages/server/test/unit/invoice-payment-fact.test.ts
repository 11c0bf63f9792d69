import { describe, expect, it } from 'vitest';
import type { FetchedInvoicePayment } from '../../src/mirror/fetch-invoice-payment.ts';
import { hasMoneyBack, invoicePaymentFact } from '../../src/mirror/invoice-payment-fact.ts';
import { DAY, dispute, invoice, invoicePayment, refund, START } from '../support/mirror-objects.ts';
import type { Json } from '../support/mirror-stripe.ts';

/** One line for an item of a subscription. */
function line(id: string, fields: Json = {}): Json {
  return {
    id,
    amount: 5000,
    quantity: 1,
    period: { start: START, end: START + 30 * DAY },
    pricing: { price_details: { price: `price_${id}`, product: 'prod_1' }, type: 'price_details' },
    parent: { subscription_item_details: { subscription: 'sub_1', subscription_item: `si_${id}` } },
    ...fields,
  };
}

function fetched(lines: Json[], rest: Partial<FetchedInvoicePayment> = {}): FetchedInvoicePayment {
  const share = {
    subscriptionId: 'sub_1',
    invoice: invoice('in_1', 'sub_1'),
    payment: invoicePayment('inpay_1', 'in_1', 'pi_1'),
  };
  return { id: 'pi_1', charge: null, paid: [{ ...share, lines }], refunds: [], disputes: [], ...rest };
}

describe('the payment of an invoice as a fact', () => {
  it('names what each line charged for, in milliseconds', () => {
    expect(invoicePaymentFact(fetched([line('a')]))).toEqual({
      kind: 'invoice_payment',
      id: 'pi_1',
      invoiceIds: ['in_1'],
      currency: 'eur',
      amountMinor: 5000,
      lines: [
        {
          subscriptionId: 'sub_1',
          subscriptionItemId: 'si_a',
          productId: 'prod_1',
          priceId: 'price_a',
          periodStart: START * 1000,
          periodEnd: (START + 30 * DAY) * 1000,
          amountMinor: 5000,
        },
      ],
      refundedMinor: 0,
      refundedAt: null,
      dispute: null,
    });
  });

  it('is the same in whatever order the lines come, and leaves out credits, gifts and what is no item', () => {
    const none = [
      line('credit', { amount: -100 }),
      line('trial', { amount: 0 }),
      line('fee', { parent: { subscription_item_details: null } }),
      line('by_hand', { parent: null }),
      line('unpriced', { pricing: null }),
    ];
    const fact = invoicePaymentFact(fetched([line('b'), ...none, line('a')]));
    expect(fact.lines.map(({ subscriptionItemId }) => subscriptionItemId)).toEqual(['si_a', 'si_b']);
    expect(invoicePaymentFact(fetched([line('a'), line('b')]))).toEqual(fact);
  });

  it('counts refunds that neither failed nor were canceled, against all that the invoice cost', () => {
    const refunds = [
      refund('re_1', 'pi_1', { amount: 2000 }),
      refund('re_2', 'pi_1', { amount: 3000, created: START + 2 * DAY }),
      refund('re_3', 'pi_1', { amount: 5000, status: 'failed' }),
      refund('re_4', 'pi_1', { amount: 5000, status: 'canceled' }),
    ];
    expect(invoicePaymentFact(fetched([line('a')], { refunds }))).toMatchObject({
      refundedMinor: 5000,
      refundedAt: (START + 2 * DAY) * 1000,
    });
    // Another payment paid the other half of this invoice: giving back this one is a refund in part.
    const half = fetched([line('a')], { refunds: refunds.slice(0, 2) });
    const [share] = half.paid;
    if (share === undefined) throw new Error('There is no payment.');
    const paid = [{ ...share, invoice: invoice('in_1', 'sub_1', { amount_paid: 10_000 }) }];
    expect(invoicePaymentFact({ ...half, paid })).toMatchObject({ amountMinor: 10_000, refundedMinor: 5000 });
  });

  it('has the dispute that weighs most, and is worth keeping for any refund or dispute, even one that came to nothing', () => {
    const disputes = [
      dispute('dp_1', 'pi_1', { status: 'won' }),
      dispute('dp_2', 'pi_1', { status: 'needs_response', created: START + 5 * DAY }),
    ];
    const fact = invoicePaymentFact(fetched([line('a')], { disputes }));
    expect(fact.dispute).toEqual({
      status: 'needs_response',
      openedAt: (START + 5 * DAY) * 1000,
      closedAt: null,
    });
    expect(hasMoneyBack(fetched([line('a')]))).toBe(false);
    expect(hasMoneyBack(fetched([], { disputes: [dispute('dp_1', 'pi_1', { status: 'warning_closed' })] }))).toBe(true);
    expect(hasMoneyBack(fetched([], { refunds: [refund('re_1', 'pi_1', { status: 'failed' })] }))).toBe(true);
  });

  it('may be split over several invoices, of which an open one was not paid', () => {
    const share = (id: string, status: string) => ({
      subscriptionId: 'sub_1',
      invoice: invoice(`in_${id}`, 'sub_1', { amount_paid: 700 }),
      payment: { ...invoicePayment(`inpay_${id}`, `in_${id}`, 'pi_1'), status },
      lines: [line(id)],
    });
    const paid = [share('2', 'paid'), share('3', 'open'), share('1', 'paid')];
    expect(invoicePaymentFact(fetched([], { paid }))).toMatchObject({
      invoiceIds: ['in_1', 'in_2'],
      amountMinor: 1400,
      lines: [{ subscriptionItemId: 'si_1' }, { subscriptionItemId: 'si_2' }],
    });
  });
});
