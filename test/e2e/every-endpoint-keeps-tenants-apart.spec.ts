import { randomBytes } from 'node:crypto';
import {
  namesSomething,
  ROLES,
  send,
  type Endpoint,
  type Role,
  type Scene,
  type World,
} from '../support/endpoints/endpoint.js';
import { ENDPOINTS } from '../support/endpoints/table.js';
import {
  fieldLimit,
  makeWorld,
  MARK,
  ownKey,
  ownPrice,
  spareField,
  stoppedModel,
} from '../support/endpoints/world.js';
import { setStage, type Stage } from '../support/stage.js';

/** What the maintenance moves by itself. */
const MOVED_BY_ITSELF = ['ai_rollups', 'ai_model_rollups', 'ai_rollup_positions'];

const rows = ENDPOINTS.filter(({ needs }) => needs).map((endpoint) => ({
  ...endpoint,
  endpoint,
  shown: endpoint.at ?? endpoint.path,
}));

describe('every endpoint, asked by another tenant', () => {
  let stage: Stage;
  /** Whose ids are used. */
  let world: World;
  /** Who uses them. */
  let others: World['people'];
  let before: unknown;

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '1' });
    world = await makeWorld(stage, `${MARK} tenant`);
    for (const make of [ownKey, fieldLimit, stoppedModel, ownPrice, spareField]) {
      world = { ...world, scene: { ...world.scene, ...(await make(world, world.owner)) } };
    }
    const owner = await stage.tenant('Other');
    others = {
      viewer: await owner.as('viewer'),
      editor: await owner.as('editor'),
      admin: await owner.as('admin'),
      owner,
    };
    await world.owner.until('nothing moves any more', async () => {
      const moving = `SELECT FROM ai_holds UNION ALL SELECT FROM ai_jobs WHERE status IN ('pending', 'processing')`;
      return (await stage.database.sql(moving)).length === 0;
    });
    before = await state();
  });

  afterAll(() => stage.close());

  /** Every row of the tenant whose ids are used. */
  async function state(): Promise<Record<string, unknown[]>> {
    const tables = await stage.database.sql<{ name: string }>(`
      SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`);
    const found: Record<string, unknown[]> = {};
    for (const { name } of tables.filter((table) => !MOVED_BY_ITSELF.includes(table.name))) {
      const sql = `SELECT t::text AS row FROM "${name}" t WHERE tenant_id = $1 ORDER BY 1`;
      found[name] = await stage.database.sql(sql, [world.owner.tenantId]);
    }
    return found;
  }

  const sceneNow = (): Scene => ({
    ...world.scene,
    fresh: randomBytes(8).toString('hex'),
    password: 'not theirs',
  });
  const ask = (endpoint: Endpoint, role: Role) =>
    send(stage.product.url, endpoint, sceneNow(), others[role].token);

  it('there is something of everything to be found', () => {
    const told = Object.entries(before as Record<string, unknown[]>);
    const empty = told.filter(([, found]) => found.length === 0).map(([name]) => name);
    expect(empty).toEqual([
      'ai_budget_alerts',
      'ai_holds',
      'ai_key_breakers',
      'ai_key_pauses',
      'ai_purged_fields',
      'ai_settings',
    ]);
  });

  it.each(rows)('finds nothing and changes nothing: $method $shown', async ({ endpoint, least, foreign }) => {
    const names = namesSomething(endpoint, sceneNow());
    for (const role of ROLES) {
      const { status, code, text } = await ask(endpoint, role);
      if (ROLES.indexOf(role) < ROLES.indexOf(least as Role)) {
        expect([role, status, code]).toEqual([role, 403, 'forbidden']);
      } else if (names) {
        expect([role, status, code]).toEqual(foreign ? [role, foreign, undefined] : [role, 404, 'not_found']);
      } else {
        expect([role, status < 500, [401, 403].includes(status)]).toEqual([role, true, false]);
        const owned = [
          MARK,
          world.owner.tenantId,
          ...Object.values(world.scene).filter((id) => id.length >= 36),
        ];
        if (status < 300) expect(owned.filter((id) => text.includes(id))).toEqual([]);
      }
    }
    expect(await state()).toEqual(before);
  });
});
