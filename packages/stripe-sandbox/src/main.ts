#!/usr/bin/env node
import module from 'node:module';

// What was compiled once is kept between runs: a start takes half as long. Node 20 cannot do so yet.
module.enableCompileCache?.();
await (await import('./command.ts')).runCommand(process.argv.slice(2));
