/**
 * Loaded into the product with `NODE_OPTIONS=--import`: names below `fake.example.com` lead where their first label says,
 * as if whoever owns the domain answered: `public`, `private`, `both`, or `rebind`, which is public the first time only.
 */
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

const PUBLIC = { address: '93.184.216.34', family: 4 };
const PRIVATE = { address: '127.0.0.1', family: 4 };
const DOMAIN = '.fake.example.com';
const seen = new Set();

function addressesOf(name) {
  const kind = name.split(/[-.]/)[0];
  if (kind === 'private') return [PRIVATE];
  if (kind === 'both') return [PUBLIC, PRIVATE];
  if (kind === 'rebind' && seen.has(name)) return [PRIVATE];
  seen.add(name);
  return [PUBLIC];
}

const { lookup } = dns;
dns.lookup = (name, options, callback) => {
  if (!name.endsWith(DOMAIN)) return lookup(name, options, callback);
  const done = typeof options === 'function' ? options : callback;
  const found = addressesOf(name);
  process.nextTick(() => (options?.all ? done(null, found) : done(null, found[0].address, found[0].family)));
};
dns.promises.lookup = (name, options) =>
  new Promise((resolve, reject) => {
    dns.lookup(name, options, (error, address, family) => {
      if (error) reject(error);
      else resolve(options?.all ? address : { address, family });
    });
  });
syncBuiltinESMExports();
