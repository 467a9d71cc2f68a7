#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A command is over within a second: optimising its code as early as a server's costs more processor time than it saves.
setFlagsFromString('--interrupt-budget=1000000');
await import('../dist/main.js');
