import { defineConfig } from 'vitest/config';

// Packages of this workspace are tested from their source; by default their names lead to what was built.
const fromSource = { ssr: { resolve: { conditions: ['source', 'module', 'node', 'development|production'] } } };

export default defineConfig({
  test: {
    // Tests wait more than they work: one more file at a time than two processors have room for ends them sooner.
    maxWorkers: 3,
    projects: [
      {
        ...fromSource,
        test: { name: 'unit', include: ['packages/core/test/**/*.test.ts', 'packages/server/test/unit/**/*.test.ts'] },
      },
      {
        ...fromSource,
        test: {
          name: 'sandbox',
          include: ['packages/stripe-sandbox/test/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        ...fromSource,
        test: {
          name: 'server',
          include: ['packages/server/test/integration/**/*.test.ts'],
          globalSetup: ['packages/server/test/support/cluster.ts'],
          // Generous: whole processes are started, and a machine may be busy with other things.
          testTimeout: 90_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...fromSource,
        test: {
          name: 'browser',
          include: ['packages/server/test/browser/**/*.test.ts'],
          globalSetup: ['packages/server/test/support/cluster.ts', 'packages/server/test/browser/chromium.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: { name: 'simulation', include: ['simulation/**/*.test.ts'], hookTimeout: 60_000 },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      exclude: ['packages/server/src/main.ts'],
      reporter: ['text-summary', 'json-summary'],
    },
  },
});
