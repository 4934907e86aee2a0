import { randomBytes } from 'node:crypto';
import { createMongoAbility, type MongoAbility } from '@casl/ability';
import { setting } from '../support/database.js';
import { keyOf, ROLES, send, type Endpoint, type Role, type World } from '../support/endpoints/endpoint.js';
import { ENDPOINTS } from '../support/endpoints/table.js';
import { makeWorld } from '../support/endpoints/world.js';
import { setStage, type Stage } from '../support/stage.js';

const OPERATOR = 'operators-own-secret';
/** Served only where there are queues and an operator, and no part of the contract. */
const BESIDE_THE_CONTRACT = ['GET /admin/queues'];
const GARBAGE = ['garbage', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.', OPERATOR];

const named = (endpoints: Endpoint[]) =>
  endpoints.map((endpoint) => ({
    ...endpoint,
    endpoint,
    shown: endpoint.at ?? endpoint.path,
  }));
const ofRoles = ENDPOINTS.filter(({ needs }) => needs);
const ofAnybody = ENDPOINTS.filter(({ least }) => least === 'anybody');
const ofOperators = ENDPOINTS.filter(({ least }) => least === 'operators');

describe('every endpoint', () => {
  let stage: Stage;
  let world: World;
  let abilities: Record<Role, MongoAbility>;

  beforeAll(async () => {
    const redis = { REDIS_URL: setting('TEST_REDIS_URL'), REDIS_PREFIX: '{every-endpoint}' };
    stage = await setStage({ ...redis, OPERATOR_TOKEN: OPERATOR, AI_RETRY_BASE_MS: '1' });
    world = await makeWorld(stage, 'Own');
    const told = ROLES.map(async (role) => {
      const { abilities: rules } = await world.people[role].get('/auth/me');
      return [role, createMongoAbility(rules)] as const;
    });
    abilities = Object.fromEntries(await Promise.all(told)) as Record<Role, MongoAbility>;
  });

  afterAll(() => stage.close());

  const ask = (endpoint: Endpoint, token?: string, more: Record<string, string> = {}) =>
    send(
      stage.product.url,
      endpoint,
      { ...world.scene, fresh: randomBytes(8).toString('hex'), ...more },
      token,
    );

  it('is in the table of roles, and the table has no other', async () => {
    const contract = (await (await fetch(`${stage.product.url}/api/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const served = Object.entries(contract.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => keyOf(method, path)),
    );
    const tabled = new Set(ENDPOINTS.map(({ method, path }) => keyOf(method, path)));
    expect(served.length).toBeGreaterThan(50);
    expect([...tabled].sort()).toEqual([...served, ...BESIDE_THE_CONTRACT].sort());
  });

  it.each(named(ofRoles))('is closed without a sign-in: $method $shown', async ({ endpoint }) => {
    const { day, field } = { day: '2026-01-01', field: 'note' };
    for (const token of [undefined, ...GARBAGE]) {
      const { status, code } = await ask(endpoint, token, { day, field });
      expect([token, status, code]).toEqual([token, 401, 'unauthenticated']);
    }
  });

  it.each(named(ofAnybody))('is open to anybody: $method $shown', async ({ endpoint }) => {
    for (const token of [undefined, ...GARBAGE, world.people.viewer.token]) {
      const { status } = await ask(endpoint, token);
      expect([token, status < 400]).toEqual([token, true]);
    }
  });

  it.each(named(ofOperators))('is for no user: $method $shown', async ({ endpoint }) => {
    for (const token of [undefined, ...ROLES.map((role) => world.people[role].token)]) {
      expect((await ask(endpoint, token)).status).toBe(401);
    }
    expect((await ask(endpoint, OPERATOR)).status).toBe(200);
  });

  it.each(named(ofRoles))('is for $least and above: $method $shown', async ({ endpoint, least, needs }) => {
    for (const role of ROLES) {
      const caller = world.people[role];
      const isAllowed = ROLES.indexOf(role) >= ROLES.indexOf(least as Role);
      const more = isAllowed ? await endpoint.anew?.(world, caller) : { day: '2026-01-01', field: 'note' };
      const { status, code, text } = await ask(endpoint, more?.['token'] ?? caller.token, more);
      const outcome = status < 300 ? 'done' : `${status} ${code}`;
      expect([role, outcome, isAllowed ? '' : text]).toEqual([
        role,
        isAllowed ? 'done' : '403 forbidden',
        isAllowed ? '' : expect.stringContaining('needs'),
      ]);
      expect([role, abilities[role].can(...(needs as [string, string]))]).toEqual([role, isAllowed]);
    }
  });

  it('a 403 leaves everything as it is', async () => {
    const { owner, people, scene } = world;
    const before = [
      await owner.settled(scene['record']!),
      await owner.get('/pipelines'),
      await owner.get('/users'),
    ];
    for (const endpoint of ofRoles.filter(({ method }) => method !== 'GET')) {
      const role = ROLES[ROLES.indexOf(endpoint.least as Role) - 1];
      if (!role) continue;
      const { status } = await ask(endpoint, people[role].token, { day: '2026-01-01', field: 'note' });
      expect([endpoint.method, endpoint.path, status]).toEqual([endpoint.method, endpoint.path, 403]);
    }
    const after = [
      await owner.settled(scene['record']!),
      await owner.get('/pipelines'),
      await owner.get('/users'),
    ];
    expect(after).toEqual(before);
  });
});
