export * from './diff.ts';
export * from './evaluate.ts';
export * from './explain.ts';
export type * from './model.ts';
export * from './policy.ts';
export * from './rational.ts';
export * from './resolve.ts';
export * from './revenue.ts';
