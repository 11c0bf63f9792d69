/** What is printed on a card, or known of it by its number. */
export interface CardFacts {
  brand: 'amex' | 'diners' | 'discover' | 'jcb' | 'mastercard' | 'unionpay' | 'visa';
  country: string;
  funding: 'credit' | 'debit' | 'prepaid';
  cvcCheck: 'fail' | 'pass';
}

/** The first digits that a brand is known by; all others count as Visa's. */
const BRANDS: [CardFacts['brand'], RegExp][] = [
  ['amex', /^3[47]/],
  ['diners', /^3(0[0-5]|[68])/],
  ['discover', /^6(011|4[4-9]|5)/],
  ['jcb', /^35/],
  ['mastercard', /^(5[1-5]|2[2-7])/],
  ['unionpay', /^62/],
];

/** What Stripe's test numbers differ in from a credit card of the United States. */
const FACTS: Record<string, Partial<CardFacts>> = {
  '4000056655665556': { funding: 'debit' },
  '5200828282828210': { funding: 'debit' },
  '5105105105105100': { funding: 'prepaid' },
  '4000000000000101': { cvcCheck: 'fail' },
  '4000000760000002': { country: 'BR' },
  '4000001240000000': { country: 'CA' },
  '4000004840008001': { country: 'MX' },
  '4000000400000008': { country: 'AT' },
  '4000000560000004': { country: 'BE' },
  '4000002760000016': { country: 'DE' },
  '4000002500000003': { country: 'FR' },
  '4000003560000008': { country: 'IN' },
  '4000003720000005': { country: 'IE' },
  '4000003800000008': { country: 'IT' },
  '4000005280000002': { country: 'NL' },
  '4000007240000007': { country: 'ES' },
  '4000007560000009': { country: 'CH' },
  '4000008260000000': { country: 'GB' },
  '4000000360000006': { country: 'AU' },
  '4000003920000003': { country: 'JP' },
};

/** What is known of a card by its number. */
export function factsOf(number: string): CardFacts {
  const brand = BRANDS.find(([, digits]) => digits.test(number))?.[0] ?? 'visa';
  return { brand, country: 'US', funding: 'credit', cvcCheck: 'pass', ...FACTS[number] };
}

/** The ids that Stripe takes in place of a payment method in test mode. */
export const TEST_PAYMENT_METHODS: Record<string, string> = {
  pm_card_visa: '4242424242424242',
  pm_card_visa_debit: '4000056655665556',
  pm_card_mastercard: '5555555555554444',
  pm_card_mastercard_debit: '5200828282828210',
  pm_card_mastercard_prepaid: '5105105105105100',
  pm_card_amex: '378282246310005',
  pm_card_discover: '6011111111111117',
  pm_card_diners: '3056930009020004',
  pm_card_jcb: '3566002020360505',
  pm_card_unionpay: '6200000000000005',
  pm_card_us: '4242424242424242',
  pm_card_br: '4000000760000002',
  pm_card_ca: '4000001240000000',
  pm_card_mx: '4000004840008001',
  pm_card_at: '4000000400000008',
  pm_card_be: '4000000560000004',
  pm_card_de: '4000002760000016',
  pm_card_fr: '4000002500000003',
  pm_card_in: '4000003560000008',
  pm_card_ie: '4000003720000005',
  pm_card_it: '4000003800000008',
  pm_card_nl: '4000005280000002',
  pm_card_es: '4000007240000007',
  pm_card_ch: '4000007560000009',
  pm_card_gb: '4000008260000000',
  pm_card_au: '4000000360000006',
  pm_card_jp: '4000003920000003',
  pm_card_bypassPending: '4000000000000077',
  pm_card_cvcCheckFail: '4000000000000101',
  pm_card_chargeDeclined: '4000000000000002',
  pm_card_visa_chargeDeclined: '4000000000000002',
  pm_card_chargeDeclinedInsufficientFunds: '4000000000009995',
  pm_card_visa_chargeDeclinedInsufficientFunds: '4000000000009995',
  pm_card_chargeDeclinedLostCard: '4000000000009987',
  pm_card_visa_chargeDeclinedLostCard: '4000000000009987',
  pm_card_chargeDeclinedStolenCard: '4000000000009979',
  pm_card_visa_chargeDeclinedStolenCard: '4000000000009979',
  pm_card_chargeDeclinedExpiredCard: '4000000000000069',
  pm_card_chargeDeclinedIncorrectCvc: '4000000000000127',
  pm_card_chargeDeclinedProcessingError: '4000000000000119',
  pm_card_chargeDeclinedVelocityLimitExceeded: '4000000000006975',
  pm_card_visa_chargeDeclinedVelocityLimitExceeded: '4000000000006975',
  pm_card_chargeDeclinedFraudulent: '4100000000000019',
  pm_card_radarBlock: '4100000000000019',
  pm_card_riskLevelHighest: '4000000000004954',
  pm_card_riskLevelElevated: '4000000000009235',
  pm_card_chargeCustomerFail: '4000000000000341',
  pm_card_createDispute: '4000000000000259',
  pm_card_createDisputeProductNotReceived: '4000000000002685',
  pm_card_createDisputeInquiry: '4000000000001976',
  pm_card_authenticationRequired: '4000002760003184',
  pm_card_authenticationRequiredOnSetup: '4000002500003155',
  pm_card_authenticationRequiredChargeDeclinedInsufficientFunds: '4000008260003178',
  pm_card_threeDSecure2Required: '4000000000003220',
  pm_card_threeDSecureRequired: '4000000000003063',
  pm_card_threeDSecureRequiredChargeDeclined: '4000008400001629',
  pm_card_threeDSecureRequiredProcessingError: '4000008400001280',
  pm_card_threeDSecureOptional: '4000000000003055',
  pm_card_refundFail: '4000000000005126',
  pm_card_pendingRefund: '4000000000007726',
};
