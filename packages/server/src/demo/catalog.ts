/** What the demo project sells: a drawing app called Sketchbook. */

export interface DemoFeature {
  code: string;
  name: string;
  type: 'boolean' | 'limit';
  aggregation?: 'max' | 'sum';
  description: string;
}

export interface DemoPrice {
  lookup_key: string;
  /** As the page offers it. */
  nickname: string;
  /** Minor units. */
  unit_amount: number;
  recurring?: { interval: 'month' | 'year' };
  /** How many the page puts into the cart. */
  quantity: number;
}

export interface DemoProduct {
  name: string;
  description: string;
  features: readonly {
    code: string;
    value?: number;
    unlimited?: boolean;
    per_unit?: boolean;
  }[];
  prices: readonly DemoPrice[];
}

export const DEMO_CURRENCY = 'usd';

export const DEMO_FEATURES: readonly DemoFeature[] = [
  { code: 'pro_export', name: 'Export as PDF', type: 'boolean', description: 'Drawings leave the app as PDF and SVG.' },
  { code: 'projects', name: 'Projects', type: 'limit', description: 'How many projects one may keep.' },
  {
    code: 'seats',
    name: 'Seats',
    type: 'limit',
    aggregation: 'sum',
    description: 'How many people may draw together.',
  },
  { code: 'priority_support', name: 'Priority support', type: 'boolean', description: 'An answer on the same day.' },
];

export const DEMO_PRODUCTS: readonly DemoProduct[] = [
  {
    name: 'Sketchbook Pro',
    description: 'For one person who draws every day.',
    features: [{ code: 'pro_export' }, { code: 'projects', value: 20 }],
    prices: [
      {
        lookup_key: 'pro_monthly',
        nickname: 'Pro, monthly',
        unit_amount: 1200,
        recurring: { interval: 'month' },
        quantity: 1,
      },
      {
        lookup_key: 'pro_yearly',
        nickname: 'Pro, yearly',
        unit_amount: 12000,
        recurring: { interval: 'year' },
        quantity: 1,
      },
    ],
  },
  {
    name: 'Sketchbook Team',
    description: 'For people who draw together, $9 a seat.',
    features: [
      { code: 'pro_export' },
      { code: 'projects', unlimited: true },
      { code: 'seats', value: 1, per_unit: true },
      { code: 'priority_support' },
    ],
    prices: [
      {
        lookup_key: 'team_monthly',
        nickname: 'Team, monthly',
        unit_amount: 900,
        recurring: { interval: 'month' },
        quantity: 3,
      },
    ],
  },
  {
    name: 'Sketchbook Export for life',
    description: 'Paid once, kept for ever.',
    features: [{ code: 'pro_export' }],
    prices: [{ lookup_key: 'export_lifetime', nickname: 'Export for life', unit_amount: 4900, quantity: 1 }],
  },
];
