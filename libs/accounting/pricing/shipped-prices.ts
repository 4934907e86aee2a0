import { readFileSync } from 'node:fs';
import { readPrices } from './read-prices.js';
import type { Price } from './price.js';

const FILE = new URL('./model-prices.json', import.meta.url);

/**
 * The prices that come with the product, read anew at each call: call it once at boot, so that a faulty
 * file stops the start.
 *
 * @throws InvalidInputError naming each faulty entry
 */
export function loadShippedPrices(): Price[] {
  return readPrices(JSON.parse(readFileSync(FILE, 'utf8')));
}
