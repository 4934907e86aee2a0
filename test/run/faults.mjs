#!/usr/bin/env node
/** `npm run test:faults`: builds the product, finds a Redis server, and lets the storms of test/faults/storm loose. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../../src/build/build-tree.mjs';
import { redisServerOrStop } from './redis.mjs';

const { dir } = await build({ root: fileURLToPath(new URL('../..', import.meta.url)) });
process.env.TEST_DIST = dir;
process.env.TEST_REDIS_SERVER = redisServerOrStop();
await import(join(dir, 'test/faults/storm/main.js'));
