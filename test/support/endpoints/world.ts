import type { Api } from '../api.js';
import { addPipeline, addRecord, addSettled, ai, generate, plain } from '../pipelines.js';
import type { Stage } from '../stage.js';
import type { Maker, Role, World } from './endpoint.js';

/** Stands in every name and value of the world, and in nothing of anybody else. */
export const MARK = 'Zyxwvut';

const CUT = 'Cut it short';
const BREAK = 'Break it';

/** @param name of the tenant. */
export async function makeWorld(stage: Stage, name: string): Promise<World> {
  stage.simulator.script([
    { match: { prompt_includes: BREAK }, action: { type: 'error', status: 400, message: 'No.' } },
  ]);
  const owner = await stage.tenant(name);
  const people: Record<Role, Api> = {
    viewer: await owner.as('viewer'),
    editor: await owner.as('editor'),
    admin: await owner.as('admin'),
    owner,
  };
  const scene = await sceneOf(owner);
  const world = { stage, owner, people, scene };
  return {
    ...world,
    scene: { ...scene, ...(await lostCall(world, owner)), ...(await failedJob(world, owner)) },
  };
}

async function sceneOf(owner: Api): Promise<Record<string, string>> {
  const pipeline = await addPipeline(
    owner,
    [
      plain('name'),
      plain('note'),
      ai('summary', { prompt: 'Summarise {name}' }),
      ai('broken', { prompt: `${BREAK} {name}`, auto_regenerate: false }),
      ai('cut', { prompt: `${CUT} {name}`, auto_regenerate: false }),
    ],
    `${MARK} leads`,
  );
  const { id: record } = await addSettled(owner, pipeline, { name: `${MARK} Ada` });
  const { run_id: run } = await owner.post(`/pipelines/${pipeline}/ai/summary/generate`, { scope: 'all' });
  await owner.settled(record);
  const { items: history } = await owner.get(`/records/${record}/ai/summary/history`);
  const email = `${run}@example.com`;
  const password = 'correct horse';
  const { id: user } = await owner.post('/users', { email, password, role: 'viewer' });
  return { pipeline, record, run, user, email, password, execution: history[0].execution_id as string };
}

/** A record that may go. */
export const spareRecord: Maker = async ({ owner, scene }) => {
  const { id } = await addRecord(owner, scene['pipeline']!, { name: `${MARK} spare` });
  return { record: id as string };
};

/** A record whose summary a person has written. */
export const overridden: Maker = async ({ owner, scene }) => {
  const { id } = await addSettled(owner, scene['pipeline']!, { name: `${MARK} written` });
  await owner.patch(`/records/${id}`, { data: { summary: `${MARK} by hand` } });
  return { record: id as string };
};

export const sparePipeline: Maker = async ({ owner }) => ({
  pipeline: await addPipeline(owner, [plain('name')], `${MARK} spare`),
});

export const spareField: Maker = async ({ owner, scene }) => {
  const field = await owner.post(`/pipelines/${scene['pipeline']}/fields`, {
    name: 'Spare',
    field_type: 'text',
  });
  return { field: field.slug as string };
};

export const spareUser: Maker = async ({ owner }) => ({ user: (await owner.as('viewer')).userId });

/** Somebody else with the caller's role, whose sign-in may end. */
export const sparePrincipal: Maker = async ({ owner }, caller) => {
  const { role } = await caller.get('/auth/me');
  return { token: (await owner.as(role as Role)).token };
};

/** A job of the caller that has failed. */
export const failedJob: Maker = async ({ scene }, caller) => ({
  job: (await generate(caller, scene['record']!, 'broken')).id as string,
});

/** A call of unknown outcome. */
export const lostCall: Maker = async ({ stage, owner, scene }) => {
  stage.simulator.script([{ match: { prompt_includes: CUT }, times: 1, action: { type: 'cut' } }], {
    append: true,
  });
  const { id } = await generate(owner, scene['record']!, 'cut', true);
  return { lost: id as string };
};

export const ownKey: Maker = async ({ owner }) => {
  await owner.ok('PUT', '/provider-keys/anthropic', { api_key: `sk-ant-${MARK}-0001` });
  return {};
};

export const fieldLimit: Maker = async ({ owner, scene }) => {
  await owner.ok('PUT', `/budgets/field/${scene['pipeline']}:cut`, { limit_cents: 100_000 });
  return {};
};

export const stoppedModel: Maker = async ({ stage, owner }) => {
  const sql = 'INSERT INTO ai_stopped_models (tenant_id, provider, model, reason) VALUES ($1, $2, $3, $4)';
  await stage.database.sql(sql, [owner.tenantId, 'openai', MARK, 'above_hold']);
  return {};
};

export const ownPrice: Maker = async ({ owner }) => {
  const { effective_from: day } = await owner.ok('PUT', '/model-prices', {
    provider: 'openai',
    model: MARK,
    context_window: 1000,
    input: 1,
    output: 2,
  });
  return { day: day as string };
};
