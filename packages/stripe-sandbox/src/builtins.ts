import { createRequire } from 'node:module';

/**
 * Node's larger modules, as `require` gives them. An `import` reads every export of theirs, and among those are some that
 * only then load what they are: a whole client for WebSockets, the Web Crypto API. That was a quarter of a start.
 */
const require = createRequire(import.meta.url);

export const http = require('node:http') as typeof import('node:http');
export const crypto = require('node:crypto') as typeof import('node:crypto');

/** Loaded when the first webhook goes to an `https` address. */
export const https = () => require('node:https') as typeof import('node:https');
